/* zygote_process.h - what a forked child of the daemon does to become a zygote. */
#ifndef VIVARIUM_ZYGOTE_PROCESS_H
#define VIVARIUM_ZYGOTE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "executor/zygotes/template_root.h"

/* What it runs; all texts are the caller's. */
struct zygote_program {
	const char *preloads;
	const char *python;    /* its program; "": the system's */
	const char *warm_up;   /* a file of Python to run after the imports; "": none */
	const char *variables; /* NAME=VALUE for its environment, between spaces */
	bool strict;           /* what cannot be imported is an error */
	bool verbose;          /* say what is imported */
	struct root_plan root; /* where they live */
	int executable;        /* the zygote's executable, open; the caller's */
	int reads_door;        /* see cgroup_tree_reads_door() */
	uid_t uid;             /* the zygotes' own */
};

/* In the child: enter its root, drop all privilege and execute the zygote, which has this
 * socket. What goes wrong is logged. */
_Noreturn void zygote_process_become(const struct zygote_program *program, int socket);

#endif
