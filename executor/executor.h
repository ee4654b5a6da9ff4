/* executor.h - what the handlers of calls share. */
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

#endif
