/* A session between jobs: how long it lives without one; getting a sandbox, the checkpoint
 * after a cell, the ways back to one when a job had to be killed, when the interpreter
 * died by itself, and on request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/owned.h"
#include "executor/server/server.h"
#include "executor/session/session_parts.h"

static const char lost_note[] = "The session's variables are lost; it goes on empty.";
static const char gone_note[] =
	"The session's sandbox was lost, and with it variables and files; it goes on empty.";
static const char died_note[] =
	"The session's interpreter died between two cells; it went back to how it was after the "
	"last one. Threads and child processes were not kept.";
static const char returned_note[] =
	"The session went back to how it was before this cell; threads and child processes were "
	"not kept.";

static const char threads_note[] =
	"The cell left threads running, which end only with the interpreter: the session went back "
	"to "
	"how it was before this cell. Child processes were not kept either.";

static const char *const returned_lost_notes[UNSAVED_COUNT] = {
	[UNSAVED_NOT] = "The session's variables are lost: there was no checkpoint to go back to. "
			"It goes on empty.",
	[UNSAVED_LARGE] = "The session's variables are lost: it used more memory than is saved in "
			  "a checkpoint. It goes on empty.",
	[UNSAVED_NO_COPY] = "The session's variables are lost: no checkpoint of the last cell "
			    "could be made, because the process limit was used up, or the program "
			    "prevented it. It goes on empty.",
};

/* -- how long it lives without being used ------------------------------------------------- */

uint64_t session_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_unused(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, idle);

	log_info("session %s ends: idle for %llu ms", session->id,
		 (unsigned long long)session->terms.idle_ms);
	session->end_message = "The session has ended: it was idle for too long.";
	session_happens(session, EV_END);
}

/* Idle time counts from the end of the last request. */
void session_touch(struct session *session)
{
	session->last_used_ms = session_clock_ms();
	session->expires_ms = session->last_used_ms + session->terms.idle_ms;
	if (session->expires_ms - session->created_ms > session->terms.lifetime_ms)
		session->expires_ms = session->created_ms + session->terms.lifetime_ms;
	if (session->current || session->tickets.count) {
		loop_clear_timer(session->executor->loop, &session->idle);
		return;
	}
	if (loop_set_timer(session->executor->loop, &session->idle,
			   loop_now_us() + session->terms.idle_ms * 1000, on_unused))
		log_error("session %s: no memory for its idle timer", session->id);
}

/* -- getting a sandbox ----------------------------------------------------------------------- */

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	session_happens(session, EV_IDLE);
}

/* A thread that the program left has ended the interpreter. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	struct session *session = context;

	(void)sandbox;
	(void)status;
	session_happens(session, EV_DIED);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	session_happens(session, EV_FAILED);
}

void session_own_sandbox(struct session *session)
{
	sandbox_set_owner(session->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								     .died = on_died,
								     .failed = on_failed,
								     .context = session });
}

static void on_sandbox(struct waiter *waiter, struct sandbox *sandbox)
{
	struct session *session = LOOP_OWNER(waiter, struct session, waiter);

	session->sandbox = sandbox;
	session_happens(session, EV_SANDBOX);
}

static void on_no_sandbox(struct waiter *waiter)
{
	struct session *session = LOOP_OWNER(waiter, struct session, waiter);

	session->end_message = "The service is busy: no sandbox became free in time.";
	session_happens(session, EV_NO_SANDBOX);
}

void session_get_sandbox(struct session *session)
{
	session->waiter = (struct waiter){ .pool = environment_pool(session->environment),
					   .granted = on_sandbox,
					   .expired = on_no_sandbox };
	if (!environment_start(session->environment) &&
	    !admission_enter(session->executor->admission, &session->waiter))
		return;
	session->end_message = "The service is busy: no sandbox is free.";
	session_happens(session, EV_NO_SANDBOX);
}

/* -- its files ------------------------------------------------------------------------- */

static void on_workspace_cancelled(struct call *call)
{
	struct session *session = call->context;
	struct call **link = &session->wants_workspace;

	while (*link && *link != call)
		link = &(*link)->next;
	if (*link)
		*link = call->next;
}

static void reply_with_id(struct call *call, const struct session *session, int fd)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	call_finish_with_fd(call, FRAME_REPLY, &fields, fd);
}

static void on_put_cancelled(struct call *call)
{
	struct incoming *incoming = call->context;

	sandbox_settle_files(incoming);
	free(incoming);
}

/* The session may have ended meanwhile. */
static void on_put(struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(0);

	on_put_cancelled(call);
	call_finish(call, FRAME_REPLY, &fields);
}

/* The application puts files in, then says FRAME_CONTINUE, or hangs up. */
static void offer_workspace(struct session *session, struct call *call, int fd)
{
	struct incoming *incoming = calloc(1, sizeof *incoming);
	int error = incoming ? sandbox_admit_files(session->sandbox,
						   req_number(call, FIELD_PUT_BYTES), incoming)
			     : -ENOMEM;

	if (error) {
		free(incoming);
		req_refuse_files(call, error);
		return;
	}
	call->context = incoming;
	call->cancel = on_put_cancelled;
	call->proceed = on_put;
	call_workspace(call, fd);
}

void session_give_workspace(struct session *session, struct call *call)
{
	if (!session->sandbox) {
		call->next = session->wants_workspace;
		session->wants_workspace = call;
		call->context = session;
		call->cancel = on_workspace_cancelled;
		return;
	}
	call->cancel = NULL;
	AUTO_FD fd = sandbox_share_workspace(session->sandbox, call_peer(call));
	if (fd < 0) {
		req_refuse_internal(call, "share the workspace", fd);
		return;
	}
	session_touch(session);
	if (req_number(call, FIELD_WANT_FILES))
		offer_workspace(session, call, fd);
	else
		reply_with_id(call, session, fd);
}

void session_take_sandbox(struct session *session)
{
	session_own_sandbox(session);
	int error = sandbox_limit(session->sandbox, &session->limits);
	if (error) {
		log_error("session %s: cannot limit its sandbox: %s", session->id,
			  strerror(-error));
		session->end_message = "The session's sandbox could not be prepared.";
		session_happens(session, EV_END);
		return;
	}
	while (session->wants_workspace) {
		struct call *call = session->wants_workspace;

		session->wants_workspace = call->next;
		session_give_workspace(session, call);
	}
	session_happens(session, EV_NEXT);
}

/* A state that has no checkpoint must not be mistaken for one that has: older ones go. */
static void forget_checkpoints(struct session *session)
{
	sandbox_drop_checkpoints(session->sandbox);
	undo_forget(&session->undo);
}

static void be_saved(struct session *session)
{
	session->unsaved = UNSAVED_NOT;
	session->unsaved_told = false;
}

void session_replace_sandbox(struct session *session)
{
	log_warn("session %s: its sandbox is gone; it goes on in another one", session->id);
	session->pending = STATE_LOST;
	session->pending_note = gone_note;
	session->executor->counters[COUNTER_LOST]++;
	sandbox_kill(session->sandbox);
	session->sandbox = NULL;
	be_saved(session);
	undo_be_empty(&session->undo);
	session_get_sandbox(session);
}

/* -- the checkpoint after a cell -------------------------------------------------------- */

void session_freeze(struct session *session)
{
	struct cgroup_usage usage = { 0 };

	if (!session->undo.cells) { /* a fresh interpreter needs none */
		session_happens(session, EV_UNCHANGED);
		return;
	}
	(void)sandbox_read_usage(session->sandbox, &usage);
	bool large = usage.memory_bytes > session->executor->options.checkpoint_bytes;
	if (!large && !sandbox_checkpoint(session->sandbox, session->terms.undo_depth + 1))
		return;
	session->unsaved = large ? UNSAVED_LARGE : UNSAVED_NO_COPY;
	session_happens(session, EV_NO_CHECKPOINT);
}

void session_frozen(struct session *session)
{
	if (sandbox_checkpointed(session->sandbox)) {
		be_saved(session);
	} else {
		session->unsaved = UNSAVED_NO_COPY;
		forget_checkpoints(session);
	}
	session_happens(session, EV_NEXT);
}

void session_not_frozen(struct session *session)
{
	forget_checkpoints(session);
	session_happens(session, EV_NEXT);
}

/* -- ways back --------------------------------------------------------------------------- */

void session_return(struct session *session)
{
	struct outcome *outcome = &session->outcome;
	bool fresh = false;

	session_own_sandbox(session);
	sandbox_rest(session->sandbox, false);
	if (sandbox_restore(session->sandbox, 0, &fresh)) {
		session_happens(session, EV_FAILED);
		return;
	}
	outcome->state = fresh && session->undo.cells ? STATE_LOST : STATE_RESTORED;
	outcome->note = outcome->state == STATE_LOST       ? returned_lost_notes[session->unsaved]
			: outcome->remains == REMAINS_IDLE ? threads_note
							   : returned_note;
}

void session_recover(struct session *session)
{
	bool fresh = false;

	session_own_sandbox(session);
	if (sandbox_restore(session->sandbox, 0, &fresh)) {
		session_happens(session, EV_FAILED);
		return;
	}
	bool lost = fresh && session->undo.cells;
	session->pending = lost ? STATE_LOST : STATE_RESTORED;
	session->pending_note = lost ? lost_note : died_note;
	session->executor->counters[lost ? COUNTER_LOST : COUNTER_RESTORED]++;
	if (fresh)
		undo_be_empty(&session->undo);
	else
		undo_went_back(&session->undo);
}

/* The checkpoint is the interpreter now, so it needs another one. */
void session_recovered(struct session *session)
{
	session_happens(session, EV_CHANGED);
}

/* -- on request --------------------------------------------------------------------------- */

/* How many checkpoints to drop; false if it cannot be done. */
static bool prepare_rewind(struct session *session, size_t *ret_drop)
{
	struct ticket *ticket = session->current;

	if (ticket->kind == TICKET_UNDO)
		return undo_take(&session->undo, sandbox_checkpoints(session->sandbox), ret_drop);
	undo_be_empty(&session->undo);
	session->pending = STATE_KEPT;
	if (ticket->call && req_number(ticket->call, FIELD_CLEAR_FILES))
		sandbox_clear_workspace(session->sandbox);
	*ret_drop = SIZE_MAX;
	return true;
}

void session_rewind(struct session *session)
{
	bool fresh = false;
	size_t drop;

	if (!prepare_rewind(session, &drop)) {
		ticket_refuse(session->current, REFUSAL_CONFLICT,
			      "There is no cell that can be undone.", 0);
		session->current = NULL;
		session_happens(session, EV_REFUSED);
	} else if (sandbox_restore(session->sandbox, drop, &fresh)) {
		session_happens(session, EV_FAILED);
	}
}

void session_rewound(struct session *session)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);
	struct call *call = ticket_take_call(session->current);

	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	(void)fields_put_number(&fields, FIELD_UNDO_LEVELS, session->undo.count);
	ticket_free(session->current);
	session->current = NULL;
	if (call)
		call_finish(call, FRAME_REPLY, &fields);
	session_happens(session, EV_CHANGED);
}

void session_cannot_rewind(struct session *session)
{
	ticket_refuse(session->current, REFUSAL_INTERNAL, "The session could not go back.", 1000);
	session->current = NULL;
	session_replace_sandbox(session);
}
