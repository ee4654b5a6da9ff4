/* errands.h - one thread beside the loop, for system calls that make it wait.
 *
 * Moving a process to a cgroup and taking mounts apart wait for the kernel's
 * grace periods, up to 15 ms; no request should. Errands are done in order. */
#ifndef VIVARIUM_ERRANDS_H
#define VIVARIUM_ERRANDS_H

#include "loop.h"

struct errands;

struct errand {
	void (*run)(struct errand *errand);  /* in the thread: may touch only what is its own */
	void (*done)(struct errand *errand); /* in the loop; may free the errand */
	struct errand *next;
};

/* Start the thread. 0 or -errno. After capabilities have been dropped. */
int errands_new(struct loop *loop, struct errands **ret_errands);

/* The errand must live until done() is called. */
void errands_send(struct errands *errands, struct errand *errand);

/* Wait for what was sent, without calling done(), and end the thread. */
void errands_free(struct errands *errands);

#endif
