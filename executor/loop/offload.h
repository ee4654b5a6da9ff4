/* offload.h - a thread beside the loop, for system calls that make it wait.
 *
 * Making and removing cgroups and taking mounts apart wait for the kernel's locks and
 * grace periods, up to 15 ms; no request should. Offloaded tasks are done in order. */
#ifndef VIVARIUM_OFFLOAD_H
#define VIVARIUM_OFFLOAD_H

#include "executor/loop/loop.h"

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
