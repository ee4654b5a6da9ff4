/* What happens to a session when (the picture is in session_parts.h), and its end. */
#include <stdlib.h>

#include "common/log.h"
#include "executor/session/session_parts.h"

/* -- its end: its calls are refused, nothing of it is left ----------------------------------- */

static void on_free(struct loop_timer *timer)
{
	free(LOOP_OWNER(timer, struct session, life));
}

static void unlist(struct session *session)
{
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	session->executor->session_count--;
}

static void refuse_workspaces(struct session *session)
{
	while (session->wants_workspace) {
		struct call *call = session->wants_workspace;

		session->wants_workspace = call->next;
		call->cancel = NULL;
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_NONE, "%s", session->end_message);
	}
}

static void close_session(struct session *session)
{
	struct executor *executor = session->executor;
	struct call *call = session->current ? ticket_take_call(session->current) : NULL;

	unlist(session);
	loop_clear_timer(executor->loop, &session->idle);
	loop_clear_timer(executor->loop, &session->life);
	admission_withdraw(executor->admission, &session->waiter);
	session_let_go(session);
	if (session->sandbox)
		sandbox_kill(session->sandbox);
	session->sandbox = NULL;
	environment_release(session->environment);
	refuse_workspaces(session);
	if (call)
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_NONE, "%s", session->end_message);
	tickets_refuse_all(&session->tickets, REFUSAL_NO_SESSION, session->end_message);
	cells_free(&session->cells, session->end_message);
	undo_be_empty(&session->undo);
	/* whoever is in the middle of something with it finds it ended, not freed */
	if (loop_set_timer(executor->loop, &session->life, loop_now_us(), on_free))
		log_error("session %s: no memory to free it", session->id);
}

/* -- the table -------------------------------------------------------------------------------- */

/* They come at any time, from calls and timers. */
#define ALWAYS [EV_END] = { SESSION_ENDED, close_session }
/* A call that is put into the queue of a busy session waits there. */
#define BUSY(state) ALWAYS, [EV_NEXT] = { state, NULL }

const session_table session_steps = {
	[SESSION_WAITS] = {
		BUSY(SESSION_WAITS),
		[EV_SANDBOX] = { SESSION_READY, session_take_sandbox },
		[EV_NO_SANDBOX] = { SESSION_ENDED, close_session },
	},
	[SESSION_READY] = {
		ALWAYS,
		[EV_NEXT] = { SESSION_READY, session_pick },
		[EV_JOB_WANTED] = { SESSION_ADMITS, session_admit },
		[EV_REWIND_WANTED] = { SESSION_REWINDS, session_rewind },
		[EV_DIED] = { SESSION_RECOVERS, session_recover },
		[EV_FAILED] = { SESSION_WAITS, session_replace_sandbox },
	},
	[SESSION_ADMITS] = {
		BUSY(SESSION_ADMITS),
		[EV_PLACE] = { SESSION_RUNS, session_start },
		[EV_NO_PLACE] = { SESSION_READY, session_refuse_busy },
		[EV_LEFT] = { SESSION_READY, session_drop },
		[EV_DIED] = { SESSION_RECOVERS, session_recover_and_retry },
		[EV_FAILED] = { SESSION_WAITS, session_replace_and_retry },
	},
	[SESSION_RUNS] = {
		BUSY(SESSION_RUNS),
		[EV_DONE] = { SESSION_SETTLES, session_finish },
		[EV_LEFTOVERS] = { SESSION_TIDIES, session_tidy },
		[EV_KILLED] = { SESSION_RETURNS, session_return },
		[EV_FAILED] = { SESSION_WAITS, session_finish_lost },
		[EV_DIED] = { SESSION_RECOVERS, session_recover_and_retry }, /* before it began */
		[EV_NOT_STARTED] = { SESSION_RECOVERS, session_refuse_broken },
		[EV_INPUT_WANTED] = { SESSION_ASKS, session_ask },
		[EV_INPUT] = { SESSION_RUNS, session_keep_input },
		[EV_LEFT] = { SESSION_RUNS, session_interrupt_job },
		[EV_INTERRUPT] = { SESSION_RUNS, session_interrupt_job },
	},
	[SESSION_ASKS] = {
		BUSY(SESSION_ASKS),
		[EV_INPUT] = { SESSION_RUNS, session_pass_input },
		[EV_INPUT_WANTED] = { SESSION_ASKS, NULL }, /* a signal's handler asks as well */
		[EV_DONE] = { SESSION_SETTLES, session_finish },
		[EV_LEFTOVERS] = { SESSION_TIDIES, session_tidy },
		[EV_KILLED] = { SESSION_RETURNS, session_return },
		[EV_FAILED] = { SESSION_WAITS, session_finish_lost },
		[EV_LEFT] = { SESSION_ASKS, session_interrupt_job },
		[EV_INTERRUPT] = { SESSION_ASKS, session_interrupt_job },
	},
	[SESSION_TIDIES] = {
		BUSY(SESSION_TIDIES),
		[EV_IDLE] = { SESSION_TIDIES, session_tidied },
		[EV_DONE] = { SESSION_SETTLES, session_finish },
		[EV_KILLED] = { SESSION_RETURNS, session_return }, /* threads, or it could not be done */
		[EV_DIED] = { SESSION_RETURNS, session_return },
		[EV_FAILED] = { SESSION_WAITS, session_finish_lost },
		[EV_LEFT] = { SESSION_TIDIES, NULL },
	},
	[SESSION_RETURNS] = {
		BUSY(SESSION_RETURNS),
		[EV_IDLE] = { SESSION_SETTLES, session_finish },
		[EV_FAILED] = { SESSION_WAITS, session_finish_lost },
		[EV_LEFT] = { SESSION_RETURNS, NULL }, /* it goes back all the same */
	},
	[SESSION_REWINDS] = {
		BUSY(SESSION_REWINDS),
		[EV_IDLE] = { SESSION_SETTLES, session_rewound },
		[EV_REFUSED] = { SESSION_READY, session_pick },
		[EV_DIED] = { SESSION_WAITS, session_cannot_rewind },
		[EV_FAILED] = { SESSION_WAITS, session_cannot_rewind },
		[EV_LEFT] = { SESSION_REWINDS, NULL },
	},
	[SESSION_RECOVERS] = {
		BUSY(SESSION_RECOVERS),
		[EV_IDLE] = { SESSION_SETTLES, session_recovered },
		[EV_FAILED] = { SESSION_WAITS, session_replace_sandbox },
	},
	[SESSION_SETTLES] = {
		BUSY(SESSION_SETTLES),
		[EV_CHANGED] = { SESSION_FREEZES, session_freeze },
		[EV_UNCHANGED] = { SESSION_READY, session_pick },
		[EV_DIED] = { SESSION_RECOVERS, session_recover }, /* beside a command */
		[EV_FAILED] = { SESSION_WAITS, session_replace_sandbox },
	},
	[SESSION_FREEZES] = {
		BUSY(SESSION_FREEZES),
		[EV_IDLE] = { SESSION_READY, session_frozen },
		[EV_NO_CHECKPOINT] = { SESSION_READY, session_not_frozen },
		[EV_UNCHANGED] = { SESSION_READY, session_pick },
		[EV_DIED] = { SESSION_RECOVERS, session_recover },
		[EV_FAILED] = { SESSION_WAITS, session_replace_sandbox },
	},
};
