/* loop.h - the daemon's event loop: descriptors by epoll, timers by a heap.
 *
 * One thread. Sources and timers are embedded in the objects that own them; an
 * object may remove and free itself from within its own callback, or another's. */
#ifndef VIVARIUM_LOOP_H
#define VIVARIUM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct loop_source {
	int fd;
	void (*ready)(struct loop_source *source, uint32_t events); /* EPOLLIN, ... */
	uint32_t events; /* that are waited for */
	bool added;
};

struct loop_timer {
	void (*fire)(struct loop_timer *timer);
	uint64_t due_us;
	size_t place; /* in the heap, from 1; 0: not set */
};

#define LOOP_OWNER(pointer, type, member)                                                   \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Microseconds on the monotonic clock. */
uint64_t loop_now_us(void);

/* 0 or -errno; the caller frees with loop_free() after removing everything. */
int loop_new(struct loop **ret_loop);
void loop_free(struct loop *loop);

/* Watch source->fd. The loop does not own the descriptor. 0 or -errno. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *, uint32_t));
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source); /* also if not added */

/* (Re)set to fire once at due_us. -ENOMEM leaves it unset. */
int loop_set_timer(struct loop *loop, struct loop_timer *timer, uint64_t due_us,
		   void (*fire)(struct loop_timer *));
void loop_clear_timer(struct loop *loop, struct loop_timer *timer); /* also if not set */

/* Handle events until loop_stop(). 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* ---- offload: a thread beside the loop, for system calls that make it wait ----
 *
 * Making and removing cgroups and taking mounts apart wait for the kernel's locks and
 * grace periods, up to 15 ms; no request should. Offloaded tasks are done in order. */

struct offload;

struct offload_task {
	void (*run)(struct offload_task *task);  /* in the thread: may touch only what is its own */
	void (*done)(struct offload_task *task); /* in the loop; may free the offloaded task */
	struct offload_task *next;
};

/* Start the thread. 0 or -errno. After capabilities have been dropped. */
int offload_new(struct loop *loop, struct offload **ret_offload);

/* The offloaded task must live until done() is called. */
void offload_send(struct offload *offload, struct offload_task *task);

/* Wait for what was sent, without calling done(), and end the thread. */
void offload_free(struct offload *offload);

#endif
