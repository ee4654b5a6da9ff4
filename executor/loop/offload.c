#define _GNU_SOURCE
#include "executor/loop/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct offload_task *first, **last;
};

struct offload {
	struct loop *loop;
	struct loop_source finished; /* eventfd */
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct queue to_do, back;
	bool ending;
};

static void queue_put(struct queue *queue, struct offload_task *task)
{
	task->next = NULL;
	*queue->last = task;
	queue->last = &task->next;
}

static struct offload_task *queue_take(struct queue *queue)
{
	struct offload_task *task = queue->first;

	if (task) {
		queue->first = task->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return task;
}

static void *work(void *argument)
{
	struct offload *offload = argument;
	const uint64_t one = 1;

	pthread_mutex_lock(&offload->lock);
	for (;;) {
		struct offload_task *task = queue_take(&offload->to_do);

		if (!task && offload->ending)
			break;
		if (!task) {
			pthread_cond_wait(&offload->work, &offload->lock);
			continue;
		}
		pthread_mutex_unlock(&offload->lock);
		task->run(task);
		pthread_mutex_lock(&offload->lock);
		queue_put(&offload->back, task);
		(void)!write(offload->finished.fd, &one, sizeof one);
	}
	pthread_mutex_unlock(&offload->lock);
	return NULL;
}

static void on_finished(struct loop_source *source, uint32_t events)
{
	struct offload *offload = LOOP_OWNER(source, struct offload, finished);
	struct offload_task *task;
	uint64_t count;

	(void)events;
	(void)!read(source->fd, &count, sizeof count);
	do {
		pthread_mutex_lock(&offload->lock);
		task = queue_take(&offload->back);
		pthread_mutex_unlock(&offload->lock);
		if (task)
			task->done(task);
	} while (task);
}

/* Signals are the loop's. */
static int start_thread(struct offload *offload)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&offload->thread, NULL, work, offload);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int offload_new(struct loop *loop, struct offload **ret_offload)
{
	struct offload *offload = calloc(1, sizeof *offload);

	if (!offload)
		return -ENOMEM;
	offload->loop = loop;
	offload->to_do.last = &offload->to_do.first;
	offload->back.last = &offload->back.first;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->work, NULL);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = fd < 0 ? -errno : loop_add(loop, &offload->finished, fd, EPOLLIN, on_finished);
	if (!error)
		error = start_thread(offload);
	if (error) {
		loop_remove(loop, &offload->finished);
		if (fd >= 0)
			close(fd);
		free(offload);
		return error;
	}
	*ret_offload = offload;
	return 0;
}

void offload_send(struct offload *offload, struct offload_task *task)
{
	pthread_mutex_lock(&offload->lock);
	queue_put(&offload->to_do, task);
	pthread_cond_signal(&offload->work);
	pthread_mutex_unlock(&offload->lock);
}

void offload_free(struct offload *offload)
{
	if (!offload)
		return;
	pthread_mutex_lock(&offload->lock);
	offload->ending = true;
	pthread_cond_signal(&offload->work);
	pthread_mutex_unlock(&offload->lock);
	pthread_join(offload->thread, NULL);
	loop_remove(offload->loop, &offload->finished);
	close(offload->finished.fd);
	pthread_mutex_destroy(&offload->lock);
	pthread_cond_destroy(&offload->work);
	free(offload);
}
