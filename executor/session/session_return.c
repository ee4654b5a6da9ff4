/* The way back: a checkpoint after each cell, going back to one when a cell had to
 * be killed, when the interpreter died by itself, and on request. */
#include <string.h>

#include "common/log.h"
#include "executor/server/request.h"
#include "executor/session/session_parts.h"

static const char lost_note[] = "The session's variables are lost; it goes on empty.";
static const char restored_note[] =
	"The session's interpreter died between two cells; it went back to how it was after the "
	"last one. Threads and child processes were not kept.";

/* -- between tickets -------------------------------------------------------------- */

static void forget_checkpoints(struct session *session)
{
	sandbox_drop_checkpoints(session->sandbox);
	session_forget_undo_levels(session);
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	if (session->phase != SESSION_SETTLES)
		return;
	/* a state without a checkpoint must not be taken back to an older one */
	if (session->freezes && !sandbox_checkpointed(session->sandbox))
		forget_checkpoints(session);
	session->freezes = false;
	session_go_on(session);
}

void session_go_back_alone(struct session *session)
{
	bool fresh = false;

	session->phase = SESSION_SETTLES;
	session->freezes = false;
	if (sandbox_restore(session->sandbox, 0, &fresh)) {
		session_replace_sandbox(session);
		return;
	}
	bool lost = fresh && session->cells;
	session->pending = lost ? STATE_LOST : STATE_RESTORED;
	session->pending_note = lost ? lost_note : restored_note;
	session->executor->counters[lost ? COUNTER_LOST : COUNTER_RESTORED]++;
	session->replay_due = session->replay.code != NULL;
	if (fresh)
		session_be_empty(session);
}

/* A thread that the program left has ended the interpreter. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)sandbox;
	(void)status;
	session_go_back_alone(context);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	session->pending = STATE_LOST;
	session->pending_note = lost_note;
	session_replace_sandbox(session);
}

void session_own_sandbox(struct session *session)
{
	sandbox_set_owner(session->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								     .died = on_died,
								     .failed = on_failed,
								     .context = session });
}

/* After a cell: the way back for the next one. A state that has none must not
 * be mistaken for one that has: older checkpoints go. */
void session_settle(struct session *session)
{
	struct cgroup_usage usage = { 0 };
	uint64_t most = session->executor->options.checkpoint_bytes;

	if (!session->cells) { /* a fresh interpreter needs none */
		session->phase = SESSION_READY;
		return;
	}
	session->phase = SESSION_SETTLES;
	session->freezes = true;
	(void)sandbox_read_usage(session->sandbox, &usage);
	if (usage.memory_bytes > most ||
	    sandbox_checkpoint(session->sandbox, session->terms.undo_depth + 1)) {
		forget_checkpoints(session);
		session->freezes = false;
		session->phase = SESSION_READY;
	}
}

/* -- reset and undo: back, with an answer when it is done ------------------------- */

static void on_back(void *context, struct sandbox *sandbox)
{
	struct session *session = context;
	struct ticket *ticket = session->current;
	struct call *call = ticket->call;
	struct buffer fields = BUFFER_INIT(4096);

	(void)sandbox;
	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	(void)fields_put_number(&fields, FIELD_UNDO_LEVELS, session->undo_levels);
	session->current = NULL;
	session_own_sandbox(session);
	ticket->call = NULL;
	ticket_free(ticket);
	if (call) {
		call->cancel = NULL;
		call_finish(call, FRAME_REPLY, &fields);
	}
	buffer_reset(&fields);
	session_settle(session);
	session_touch(session);
	session_pump(session);
}

static void on_back_failed(void *context, struct sandbox *sandbox)
{
	struct session *session = context;
	struct ticket *ticket = session->current;

	(void)sandbox;
	session->current = NULL;
	ticket_refuse(ticket, REFUSAL_INTERNAL, "The session could not go back.", 1000);
	session_own_sandbox(session);
	session_replace_sandbox(session);
}

static void on_back_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	on_back_failed(context, sandbox);
}

static void go_back_for(struct ticket *ticket, size_t drop)
{
	struct session *session = ticket->session;
	bool fresh = false;

	sandbox_set_owner(session->sandbox, &(struct sandbox_owner){ .idle = on_back,
								     .died = on_back_died,
								     .failed = on_back_failed,
								     .context = session });
	if (sandbox_restore(session->sandbox, drop, &fresh))
		on_back_failed(session, session->sandbox);
}

void ticket_begin_reset(struct ticket *ticket)
{
	struct session *session = ticket->session;

	session_be_empty(session);
	session->pending = STATE_KEPT;
	if (ticket->call &&
	    fields_number(ticket->call->fields, ticket->call->length, FIELD_CLEAR_FILES, 0))
		sandbox_clear_workspace(session->sandbox);
	go_back_for(ticket, SIZE_MAX);
}

void ticket_begin_undo(struct ticket *ticket)
{
	struct session *session = ticket->session;
	size_t alive = sandbox_checkpoints(session->sandbox);
	bool pure = session->undo_levels && session->undo[session->undo_levels - 1].pure;
	/* One checkpoint stands for the state after the last cell that changed
	 * something, the one below it for the state before that; before the first
	 * such cell a fresh interpreter will do. */
	size_t drop = pure ? 0 : 1;
	size_t needed = session->cells > drop ? drop + 1 : drop;

	if (!session->undo_levels || session->cells < drop || alive < needed) {
		session->current = NULL;
		session->phase = SESSION_READY;
		ticket_refuse(ticket, REFUSAL_CONFLICT, "There is no cell that can be undone.", 0);
		session_touch(session);
		session_pump(session);
		return;
	}
	session->cells -= drop;
	session_take_undo_level(session);
	go_back_for(ticket, drop);
}
