#define _GNU_SOURCE
#include "executor/loop/loop.h"

#include <errno.h>
#include <stdlib.h>
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
