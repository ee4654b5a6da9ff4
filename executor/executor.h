/* executor.h - what the handlers of calls share, and the daemon from its start to its end. */
#ifndef VIVARIUM_EXECUTOR_H
#define VIVARIUM_EXECUTOR_H

#include "executor/cgroup/cgroup.h"
#include "executor/environments/environments.h"
#include "executor/loop/loop.h"
#include "executor/options.h"
#include "executor/run/admission.h"
#include "executor/sandbox/sandbox.h"
#include "executor/sandbox/slots.h"
#include "executor/server/server.h"
#include "executor/session/cell.h"

struct doctor;
struct trial;
struct session;

/* What has happened since the start; for info and metrics. */
enum counter {
	COUNTER_RUNS,
	COUNTER_CELLS,
	COUNTER_REFUSED,
	COUNTER_SESSIONS_MADE,
	COUNTER_RESTORED,
	COUNTER_LOST,
	COUNTER_COUNT
};

struct executor {
	struct options options;
	struct loop *loop;
	struct cgroup_tree *cgroups;
	struct slots *slots;
	struct offload *offload, *slow_offload; /* spawning; what a program can make long */
	struct sandboxes *sandboxes;
	struct environments *environments;
	struct admission *admission;
	struct server *server;
	struct doctor *doctor;
	struct trial *trial;
	struct session *sessions; /* list */
	size_t session_count;
	struct histories histories; /* what all sessions keep of their cells */
	uint64_t counters[COUNTER_COUNT];
	uid_t peer; /* whom the application runs as */
	bool stopping;
	/* daemon.c's */
	struct loop_source signals;
	struct loop_timer stop;
	uint64_t stop_at_us;
	bool ending;
	bool doctor_only;
	int exit_status;
};

/* oneshot.c: FRAME_EXECUTE. */
void oneshot_handle(void *executor, struct call *call);

/* evaluate_calls.c: FRAME_EVALUATE. */
void evaluate_handle(void *executor, struct call *call);

/* session_calls.c: the FRAME_SESSION_* calls. */
void session_handle_create(void *executor, struct call *call);
void session_handle_execute(void *executor, struct call *call);
void session_handle_run(void *executor, struct call *call);
void session_handle_workspace(void *executor, struct call *call);
void session_handle_interrupt(void *executor, struct call *call);
void session_handle_reset(void *executor, struct call *call);
void session_handle_undo(void *executor, struct call *call);
void session_handle_variables(void *executor, struct call *call);
void session_handle_show(void *executor, struct call *call);
void session_handle_list(void *executor, struct call *call);
void session_handle_history(void *executor, struct call *call);
void session_handle_delete(void *executor, struct call *call);
void session_handle_stdin(void *executor, struct call *call);
void session_handle_cells(void *executor, struct call *call);
void session_handle_cell(void *executor, struct call *call);

/* session.c: end all of them. */
void sessions_end_all(struct executor *executor);

/* ---- while the loop runs (daemon.c) ---- */

enum { EXIT_CONFIG = 2, EXIT_UNSAFE = 3 };

/* SIGTERM and SIGINT: what runs may go on for shutdown_ms, then everything ends and the
 * loop stops; the second signal ends it at once. 0 or -errno. */
int daemon_watch_signals(struct executor *executor);

/* What the parts tell; the context is the executor. */
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
void daemon_start(struct executor *executor, enum options_action action);
void daemon_tear_down(struct executor *executor);

#endif
