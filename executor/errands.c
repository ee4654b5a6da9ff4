#define _GNU_SOURCE
#include "errands.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct errand *first, **last;
};

struct errands {
	struct loop *loop;
	struct loop_source finished; /* eventfd */
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct queue to_do, back;
	bool ending;
};

static void queue_put(struct queue *queue, struct errand *errand)
{
	errand->next = NULL;
	*queue->last = errand;
	queue->last = &errand->next;
}

static struct errand *queue_take(struct queue *queue)
{
	struct errand *errand = queue->first;

	if (errand) {
		queue->first = errand->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return errand;
}

static void *work(void *argument)
{
	struct errands *errands = argument;
	const uint64_t one = 1;

	pthread_mutex_lock(&errands->lock);
	for (;;) {
		struct errand *errand = queue_take(&errands->to_do);

		if (!errand && errands->ending)
			break;
		if (!errand) {
			pthread_cond_wait(&errands->work, &errands->lock);
			continue;
		}
		pthread_mutex_unlock(&errands->lock);
		errand->run(errand);
		pthread_mutex_lock(&errands->lock);
		queue_put(&errands->back, errand);
		(void)!write(errands->finished.fd, &one, sizeof one);
	}
	pthread_mutex_unlock(&errands->lock);
	return NULL;
}

static void on_finished(struct loop_source *source, uint32_t events)
{
	struct errands *errands = LOOP_OWNER(source, struct errands, finished);
	struct errand *errand;
	uint64_t count;

	(void)events;
	(void)!read(source->fd, &count, sizeof count);
	do {
		pthread_mutex_lock(&errands->lock);
		errand = queue_take(&errands->back);
		pthread_mutex_unlock(&errands->lock);
		if (errand)
			errand->done(errand);
	} while (errand);
}

/* Signals are the loop's. */
static int start_thread(struct errands *errands)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&errands->thread, NULL, work, errands);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int errands_new(struct loop *loop, struct errands **ret_errands)
{
	struct errands *errands = calloc(1, sizeof *errands);

	if (!errands)
		return -ENOMEM;
	errands->loop = loop;
	errands->to_do.last = &errands->to_do.first;
	errands->back.last = &errands->back.first;
	pthread_mutex_init(&errands->lock, NULL);
	pthread_cond_init(&errands->work, NULL);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = fd < 0 ? -errno : loop_add(loop, &errands->finished, fd, EPOLLIN, on_finished);
	if (!error)
		error = start_thread(errands);
	if (error) {
		loop_remove(loop, &errands->finished);
		if (fd >= 0)
			close(fd);
		free(errands);
		return error;
	}
	*ret_errands = errands;
	return 0;
}

void errands_send(struct errands *errands, struct errand *errand)
{
	pthread_mutex_lock(&errands->lock);
	queue_put(&errands->to_do, errand);
	pthread_cond_signal(&errands->work);
	pthread_mutex_unlock(&errands->lock);
}

void errands_free(struct errands *errands)
{
	if (!errands)
		return;
	pthread_mutex_lock(&errands->lock);
	errands->ending = true;
	pthread_cond_signal(&errands->work);
	pthread_mutex_unlock(&errands->lock);
	pthread_join(errands->thread, NULL);
	loop_remove(errands->loop, &errands->finished);
	close(errands->finished.fd);
	pthread_mutex_destroy(&errands->lock);
	pthread_cond_destroy(&errands->work);
	free(errands);
}
