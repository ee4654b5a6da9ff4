/* daemon.h - the executor while it runs: what its parts tell it, which calls it takes, and
 * how it stops. */
#ifndef VIVARIUM_DAEMON_H
#define VIVARIUM_DAEMON_H

#include "executor/executor.h"

enum { EXIT_CONFIG = 2, EXIT_UNSAFE = 3 };

struct daemon {
	struct executor executor;
	struct loop_source signals;
	struct loop_timer stop;
	uint64_t stop_at_us;
	bool ending;
	bool doctor_only;
	int exit_status;
};

/* SIGTERM and SIGINT: what runs may go on for shutdown_ms, then everything ends and the
 * loop stops; the second signal ends it at once. 0 or -errno. */
int daemon_watch_signals(struct daemon *daemon);

/* What the parts tell; the context is a struct daemon, or what it has first. */
void daemon_on_gone(void *context);
void daemon_on_available(void *context);
void daemon_on_broken(void *context, struct environment *environment);
void daemon_on_tried(struct executor *executor, bool well);
void daemon_on_examined(struct executor *executor);

/* ---- before and after the loop (start.c); what cannot be done ends the process ---- */

/* What the settings' types and ranges cannot say; the log level is set. */
void daemon_check(struct executor *executor);

/* Make everything, and begin the self-test (or the trial): only what happens in the loop is
 * missing. */
void daemon_start(struct daemon *daemon, enum options_action action);
void daemon_tear_down(struct daemon *daemon);

#endif
