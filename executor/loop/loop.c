#define _GNU_SOURCE
#include "executor/loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

struct loop {
	int epoll;
	bool stopping;
	struct epoll_event batch[BATCH]; /* being handled */
	int batch_left;
	struct loop_timer **heap; /* heap[1] is due first */
	size_t count, capacity;
};

uint64_t loop_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int error = -errno;

		free(loop);
		return error;
	}
	*ret_loop = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop->heap);
	free(loop);
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *, uint32_t))
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	source->fd = fd;
	source->ready = ready;
	source->events = events;
	source->added = true;
	return 0;
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (source->events == events) /* every frame that goes out at once asks so */
		return 0;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event))
		return -errno;
	source->events = events;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (!source->added)
		return;
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->added = false;
	/* what epoll has already handed out about it must not reach it */
	for (int i = 0; i < loop->batch_left; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

/* -- the heap of timers ---------------------------------------------------- */

static void put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void sift_up(struct loop *loop, struct loop_timer *timer, size_t place)
{
	while (place > 1 && loop->heap[place / 2]->due_us > timer->due_us) {
		put(loop, place, loop->heap[place / 2]);
		place /= 2;
	}
	put(loop, place, timer);
}

static void sift_down(struct loop *loop, struct loop_timer *timer, size_t place)
{
	for (;;) {
		size_t child = place * 2;

		if (child > loop->count)
			break;
		if (child < loop->count &&
		    loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
			child++;
		if (loop->heap[child]->due_us >= timer->due_us)
			break;
		put(loop, place, loop->heap[child]);
		place = child;
	}
	put(loop, place, timer);
}

void loop_clear_timer(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;

	if (!place)
		return;
	timer->place = 0;
	struct loop_timer *last = loop->heap[loop->count--];
	if (last == timer)
		return;
	if (place > 1 && loop->heap[place / 2]->due_us > last->due_us)
		sift_up(loop, last, place);
	else
		sift_down(loop, last, place);
}

int loop_set_timer(struct loop *loop, struct loop_timer *timer, uint64_t due_us,
		   void (*fire)(struct loop_timer *))
{
	loop_clear_timer(loop, timer);
	if (loop->count + 1 >= loop->capacity) {
		size_t capacity = loop->capacity ? loop->capacity * 2 : 64;
		struct loop_timer **heap = realloc(loop->heap, capacity * sizeof *heap);

		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->capacity = capacity;
	}
	timer->fire = fire;
	timer->due_us = due_us;
	sift_up(loop, timer, ++loop->count);
	return 0;
}

static void fire_due(struct loop *loop)
{
	uint64_t now = loop_now_us();

	while (loop->count && loop->heap[1]->due_us <= now) {
		struct loop_timer *timer = loop->heap[1];

		loop_clear_timer(loop, timer);
		timer->fire(timer);
	}
}

/* Rounded up: a timer never fires early, and never spins at nought. */
static int wait_ms(const struct loop *loop)
{
	if (!loop->count)
		return -1;
	uint64_t now = loop_now_us();
	uint64_t due = loop->heap[1]->due_us;
	uint64_t ms = due <= now ? 0 : (due - now + 999) / 1000;
	return ms > 1000000 ? 1000000 : (int)ms;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		int count = epoll_wait(loop->epoll, loop->batch, BATCH, wait_ms(loop));

		if (count < 0 && errno != EINTR)
			return -errno;
		loop->batch_left = count > 0 ? count : 0;
		for (int i = 0; i < loop->batch_left && !loop->stopping; i++) {
			struct loop_source *source = loop->batch[i].data.ptr;

			if (source)
				source->ready(source, loop->batch[i].events);
		}
		loop->batch_left = 0;
		fire_due(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

/* -- offload ----------------------------------------------------------------------------- */

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
