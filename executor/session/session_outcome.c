/* The end of a session's job: what it means for the session, and the answer. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "executor/environments/environments.h"
#include "executor/session/session_parts.h"

/* Running a cell again takes its time from the one after it. */
enum { REPLAY_US_MAX = 100000 };

static const char interrupted_note[] =
	"The cell was interrupted; the session's variables are kept as they were at that moment.";

static const char interrupted_tidied_note[] =
	"The cell was interrupted, and the processes that it had started were ended; the session's "
	"variables are kept as they were at that moment.";
static const char tidied_note[] =
	"The cell met a limit, so the processes that it had started were ended.";

/* A checkpoint is never missing without a word. */
static const char *const unsaved_notes[UNSAVED_COUNT] = {
	[UNSAVED_LARGE] = "The session uses more memory than is saved in a checkpoint: a cell that "
			  "has to be killed will lose its variables, and nothing can be undone.",
	[UNSAVED_NO_COPY] = "No checkpoint of the last cell could be made, because the process "
			    "limit was used up, or the program prevented it: a cell that has to be "
			    "killed will lose the session's variables, and nothing can be undone.",
};

/* A cell that can have changed nothing needs no way back; only `_` has its value,
 * which running it once more would give again. */
static bool keep_as_pure(struct session *session)
{
	const struct outcome *outcome = &session->outcome;

	if (!session->cell || outcome->status != STATUS_SUCCESS || outcome->state != STATE_KEPT ||
	    outcome->wall_us > REPLAY_US_MAX ||
	    fields_number(outcome->report, outcome->report_length, FIELD_PURE, 0) != 1)
		return false;
	return undo_add_pure_cell(
		&session->undo, cell_code(session->cell),
		fields_has(outcome->report, outcome->report_length, FIELD_RESULT));
}

/* What it means for the variables. True if they are not what the last checkpoint has. */
static bool count_job(struct session *session)
{
	switch (session->outcome.state) {
	case STATE_KEPT:
		if (session->current->kind == TICKET_COMMAND)
			return false;
		if (session->cell && !keep_as_pure(session)) {
			undo_add_cell(&session->undo);
			return true;
		}
		session->undo.replay_due = false; /* it has been run */
		return false;
	case STATE_RESTORED:
		session->executor->counters[COUNTER_RESTORED]++;
		undo_went_back(&session->undo);
		return true;
	case STATE_LOST:
	case STATE_COUNT:
		session->executor->counters[COUNTER_LOST]++;
		undo_be_empty(&session->undo);
	}
	return true;
}

/* Something happened while nobody asked, or is missing: say it now. */
static void tell_pending(struct session *session)
{
	struct outcome *outcome = &session->outcome;

	if (!session->cell || outcome->state != STATE_KEPT)
		return;
	if (session->pending != STATE_KEPT) {
		outcome->state = session->pending;
		outcome->note = session->pending_note;
		session->pending = STATE_KEPT;
	} else if (session->unsaved && !session->unsaved_told && !outcome->note) {
		outcome->note = unsaved_notes[session->unsaved];
		session->unsaved_told = true;
	}
}

static bool was_interrupted(const struct outcome *outcome)
{
	return outcome->reason == REASON_WALL_TIME || outcome->reason == REASON_CPU_TIME ||
	       outcome->reason == REASON_OUTPUT || outcome->reason == REASON_INTERRUPTED;
}

static void log_job(const struct session *session, const char *id)
{
	const struct outcome *outcome = &session->outcome;
	const char *reason = protocol_reason_name(outcome->reason);

	log_info("request %s: session %s cell %llu %s%s%s, %s, in %llu us", id, session->id,
		 (unsigned long long)session->executions, protocol_status_name(outcome->status),
		 reason ? " by " : "", reason ? reason : "", protocol_state_name(outcome->state),
		 (unsigned long long)outcome->wall_us);
}

static int render(const struct session *session, struct buffer *fields)
{
	struct outcome noted = session->outcome;
	char note[IMPORT_NOTE_BYTES];

	import_note(session->executor->environments, &noted, note);
	int error = outcome_put(&noted, fields);
	if (!error)
		error = fields_put_number(fields, FIELD_EXECUTION, session->executions);
	if (!error)
		error = fields_put_text(fields, FIELD_SESSION_ID, session->id);
	return error;
}

/* First the answer, then the log, then what the next job needs. */
static void answer(struct session *session)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct call *call = ticket_take_call(session->current);
	int error = render(session, &fields);

	if (error)
		log_error("session %s: cannot render an outcome: %s", session->id,
			  strerror(-error));
	if (session->cell) {
		cell_finish(session->cell, &fields);
		cells_changed(&session->cells);
		session->executor->counters[COUNTER_CELLS]++;
		log_job(session, session->request_id);
	} else if (call) {
		call_finish(call, FRAME_OUTCOME, &fields);
	}
}

/* What a cell has started ends with it when it meets a limit: else that would be no limit. */
void session_tidy(struct session *session)
{
	session_own_sandbox(session);
	int error = sandbox_tidy(session->sandbox);
	if (error)
		session_happens(session, error == -ENOENT ? EV_DONE : EV_KILLED);
}

/* A thread ends only with the interpreter, so that has to go too. */
void session_tidied(struct session *session)
{
	enum tidied tidied = sandbox_tidied(session->sandbox);
	bool interrupted = was_interrupted(&session->outcome);

	if (tidied == TIDIED_PROCESSES)
		session->outcome.note = interrupted ? interrupted_tidied_note : tidied_note;
	session_happens(session, tidied == TIDIED_NOT_THREADS ? EV_KILLED : EV_DONE);
}

void session_finish(struct session *session)
{
	struct outcome *outcome = &session->outcome;

	if (outcome->state == STATE_KEPT && session->cell && was_interrupted(outcome) &&
	    !outcome->note)
		outcome->note = interrupted_note;
	bool changed = count_job(session);
	tell_pending(session);
	answer(session);
	session_let_go(session);
	session_own_sandbox(session);
	session_touch(session);
	session_happens(session, !sandbox_is_idle(session->sandbox) ? EV_DIED
				 : changed                          ? EV_CHANGED
								    : EV_UNCHANGED);
}

void session_finish_lost(struct session *session)
{
	session->outcome.state = STATE_LOST;
	session->outcome.note =
		"The sandbox is gone, and with it the session's variables and files; "
		"it goes on empty.";
	answer(session);
	session_let_go(session);
	session_touch(session);
	session_replace_sandbox(session);
	session->pending = STATE_KEPT; /* it has been told */
}
