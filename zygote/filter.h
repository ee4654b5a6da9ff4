/* filter.h - the seccomp filters. Built once by libseccomp in the zygote, put on
 * in each sandboxed process with one system call a filter. */
#ifndef VIVARIUM_FILTER_H
#define VIVARIUM_FILTER_H

enum filter {
	FILTER_BASE,       /* the allow-list, for everything in a sandbox */
	FILTER_NOTIFICATION,   /* interpreter only: its waiting call goes to the executor */
	FILTER_COMMAND,    /* shell commands only: no further filter */
	FILTER_READONLY,   /* profile `readonly`: nothing is written by name */
	FILTER_RESTRICTED, /* playground: no further process, no program */
	FILTER_ORIGINAL,   /* judging: the caller is out of the reach of its forks */
	FILTER_COUNT
};

/* Compile all. 0 or -errno. Call once, before any fork. */
int filter_build_all(void);

/* Put one on the calling process. FILTER_NOTIFICATION returns the listener, a
 * descriptor that the caller owns; the others 0. -errno on failure. */
int filter_apply(enum filter filter);

/* The same once FILTER_BASE is on, which leaves only prctl(2) for it. Not for
 * FILTER_NOTIFICATION. FILTER_ORIGINAL is about the process that puts it on, and its
 * process group. 0 or -errno. */
int filter_add(enum filter filter);

#endif
