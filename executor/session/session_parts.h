/* session_parts.h - the inside of a session, for the files that work on one. */
#ifndef VIVARIUM_SESSION_PARTS_H
#define VIVARIUM_SESSION_PARTS_H

#include "executor/run/run.h"
#include "executor/session/session_machine.h"
#include "executor/session/session.h"
#include "executor/session/undo.h"

/* Why the present state has no checkpoint. */
enum unsaved { UNSAVED_NOT, UNSAVED_LARGE, UNSAVED_NO_COPY, UNSAVED_COUNT };

struct session {
	struct executor *executor;
	struct session *next, **link;
	char id[SESSION_ID_MAX + 1];
	char client[SESSION_CLIENT_MAX + 1];
	const struct profile *profile;
	struct environment *environment; /* held until the end */
	struct limits limits;
	struct session_limits terms;
	struct session_machine machine;
	struct loop_timer idle, life;
	const char *end_message; /* for the calls that are refused with it */
	uint64_t created_ms, last_used_ms, expires_ms; /* since 1970 */

	struct sandbox *sandbox;
	struct waiter waiter; /* for a sandbox */
	struct call *wants_workspace; /* until there is a sandbox; a list */
	struct undo undo;
	enum unsaved unsaved;
	bool unsaved_told;
	enum state pending; /* happened while nobody asked: told with the next answer */
	const char *pending_note;

	struct tickets tickets;
	struct ticket *current; /* the job, or the way back, that is being done */
	struct waiter place;    /* of the job: for a running place */
	bool placed;
	struct run *run;
	struct outcome outcome; /* of the job, when it is over; lives as long as the run */
	struct cell *cell;      /* of the job, if it is one */
	struct loop_timer leave; /* of the job's clients: when it is too late to come back */
	char request_id[160];    /* of the job's call, for the log */
	struct {
		const void *bytes;
		size_t length;
		bool eof;
		int error;
	} input; /* that has come, while it is handed over */
	struct cells cells;
	uint64_t executions; /* cells so far */
};

static inline void session_happens(struct session *session, enum session_event event)
{
	session_machine_happens(&session->machine, event);
}

/* session_clock.c: milliseconds since 1970; it has been used, or is being used: its
 * idle time begins again, or rests. */
uint64_t session_clock_ms(void);
void session_touch(struct session *session);

/* session_sandbox.c */
void session_own_sandbox(struct session *session);
void session_get_sandbox(struct session *session);
void session_take_sandbox(struct session *session);
void session_replace_sandbox(struct session *session); /* it is gone: go on in another */
void session_freeze(struct session *session);
void session_frozen(struct session *session);
void session_not_frozen(struct session *session);
void session_recover(struct session *session);
void session_recovered(struct session *session);
void session_return(struct session *session);
void session_rewind(struct session *session);
void session_rewound(struct session *session);
void session_cannot_rewind(struct session *session);

/* session_job.c */
void session_pick(struct session *session); /* what is next in the queue */
void session_admit(struct session *session);
void session_start(struct session *session);
void session_interrupt_job(struct session *session);
void session_ask(struct session *session);
void session_pass_input(struct session *session);
void session_keep_input(struct session *session);
void session_drop(struct session *session);
void session_refuse_busy(struct session *session);
void session_recover_and_retry(struct session *session);
void session_replace_and_retry(struct session *session);
void session_refuse_broken(struct session *session);
void session_let_go(struct session *session); /* of the job, answered or not */

/* session_outcome.c */
void session_finish(struct session *session);
void session_finish_lost(struct session *session);

/* session_close.c */
void session_close(struct session *session);

/* session_table.c: which of these is done when. */
extern const session_table session_steps;

#endif
