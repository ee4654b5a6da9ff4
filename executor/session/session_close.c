/* The end of a session: its calls are refused, nothing of it is left. */
#include <stdlib.h>

#include "common/log.h"
#include "executor/session/session_parts.h"

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

void session_close(struct session *session)
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
