/* child_enter.h - the one function that drops privilege. */
#ifndef VIVARIUM_CHILD_ENTER_H
#define VIVARIUM_CHILD_ENTER_H

#include <stdint.h>
#include <sys/types.h>

struct child_plan {
	int keep_fd;         /* the one descriptor above 2 that stays open; -1: none */
	uid_t uid;           /* and gid, inside the sandbox */
	uint64_t processes;  /* rlimit */
	int *ret_listener;   /* where to put the seccomp notification's listener; NULL: no seccomp notification */
};

/* Turn the calling process, a fresh child of init, into one that may run
 * hostile code. Order matters and is explained inside. On failure -errno, with
 * the step's name in *ret_step; the caller must then exit. Call once. */
int child_enter(const struct child_plan *plan, const char **ret_step);

/* Empty the bounding set of the calling process and of its children to come; one of the
 * steps above, which init takes ahead for all of them. Takes CAP_SETPCAP, unless the set is
 * empty. 0 or -errno. */
int child_empty_bounding_set(void);

#endif
