/* A cell of a session, a command, a look at its variables: one run, and what it
 * means for the session. */
#include <errno.h>
#include <string.h>

#include "executor/environments/environment_calls.h"
#include "common/job.h"
#include "common/log.h"
#include "executor/server/request.h"
#include "executor/session/session_parts.h"

/* Running a cell again takes its time from the one after it. */
enum { REPLAY_US_MAX = 100000 };

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct ticket *ticket = context;

	if (ticket->call)
		call_output(ticket->call, stream, bytes, length);
}

/* A cell that can have changed nothing needs no way back; only `_` has its value,
 * which running it once more would give again. */
static bool is_pure(struct session *session, const struct ticket *ticket,
		    const struct outcome *outcome)
{
	struct field_view result;

	if (ticket->kind != TICKET_CELL || !ticket->call || outcome->status != STATUS_SUCCESS ||
	    outcome->state != STATE_KEPT || outcome->wall_us > REPLAY_US_MAX ||
	    fields_number(outcome->report, outcome->report_length, FIELD_PURE, 0) != 1)
		return false;
	return session_add_pure_cell(
		session, req_optional(ticket->call, FIELD_CODE),
		fields_find(outcome->report, outcome->report_length, FIELD_RESULT, &result) == 1);
}

static void count_cell(struct session *session, const struct outcome *outcome)
{
	switch (outcome->state) {
	case STATE_KEPT:
		session_add_cell(session);
		break;
	case STATE_RESTORED:
		session->executor->counters[COUNTER_RESTORED]++;
		break;
	case STATE_LOST:
	case STATE_COUNT:
		session->executor->counters[COUNTER_LOST]++;
		session_be_empty(session);
		break;
	}
}

static void log_cell(const struct session *session, const char *id, const struct outcome *outcome)
{
	const char *reason = protocol_reason_name(outcome->reason);

	log_info("request %s: session %s cell %llu %s%s%s, %s, in %llu us", id, session->id,
		 (unsigned long long)session->executions, protocol_status_name(outcome->status),
		 reason ? " by " : "", reason ? reason : "", protocol_state_name(outcome->state),
		 (unsigned long long)outcome->wall_us);
}

static int render(const struct session *session, const struct outcome *outcome,
		  struct buffer *fields)
{
	struct outcome noted = *outcome;
	char note[IMPORT_NOTE_BYTES];

	import_note(session->executor->environments, &noted, note);
	int error = outcome_put(&noted, fields);
	if (!error)
		error = fields_put_number(fields, FIELD_EXECUTION, session->executions);
	if (!error)
		error = fields_put_text(fields, FIELD_SESSION_ID, session->id);
	return error;
}

/* Something happened while nobody asked: say it now. */
static void tell_pending(struct session *session, struct outcome *outcome)
{
	if (session->pending == STATE_KEPT || outcome->state != STATE_KEPT)
		return;
	outcome->state = session->pending;
	outcome->note = session->pending_note;
	session->pending = STATE_KEPT;
}

static void remember(struct session *session, const struct ticket *ticket,
		     const struct outcome *outcome)
{
	struct field_view code = { 0 };

	if (ticket->call)
		code = req_optional(ticket->call, FIELD_CODE);
	history_add(&session->history, session->executor->options.history_cells,
		    session->executions, session->started_ms, code.value, code.length, outcome);
}

static void on_finished(void *context, const struct outcome *run_outcome)
{
	struct ticket *ticket = context;
	struct session *session = ticket->session;
	struct call *call = ticket->call;
	struct outcome outcome = *run_outcome;
	bool pure = is_pure(session, ticket, &outcome);
	bool looked = pure || (ticket->kind != TICKET_CELL && outcome.state == STATE_KEPT);
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	bool gone = outcome.reason == REASON_INTERNAL || (outcome.note && !session->sandbox);
	bool cell = ticket->kind == TICKET_CELL;
	char id[160] = "-";

	if (call)
		call_request_id(call, id, sizeof id);
	if (ticket->kind != TICKET_COMMAND)
		session->replay_due = outcome.state == STATE_RESTORED && session->replay.code;
	if (cell) {
		session->executor->counters[COUNTER_CELLS]++;
		if (!pure)
			count_cell(session, &outcome);
		tell_pending(session, &outcome);
		remember(session, ticket, &outcome);
	}
	int error = render(session, &outcome, &fields);
	session_own_sandbox(session);
	session->current = NULL;
	ticket->call = NULL;
	if (call)
		call->cancel = NULL;
	ticket_free(ticket);
	/* first the answer, then the log, then what the next cell needs */
	if (call && error)
		req_refuse_internal(call, "render the outcome", error);
	else if (call)
		call_finish(call, FRAME_OUTCOME, &fields);
	buffer_reset(&fields);
	if (cell)
		log_cell(session, id, &outcome);
	if (session->ended)
		return;
	if (gone || !sandbox_is_idle(session->sandbox))
		session_replace_sandbox(session);
	else if (looked) /* nothing to undo: no checkpoint more */
		session->phase = SESSION_READY;
	else
		session_settle(session);
	session_touch(session);
	session_pump(session);
}

static uint32_t job_kind(const struct ticket *ticket)
{
	switch (ticket->kind) {
	case TICKET_VARIABLES:
		return JOB_VARIABLES;
	case TICKET_COMMAND:
		return JOB_COMMAND;
	default:
		return JOB_CELL;
	}
}

void ticket_begin_run(struct ticket *ticket)
{
	struct session *session = ticket->session;
	struct field_view code = req_optional(ticket->call, FIELD_CODE);
	struct field_view input = req_optional(ticket->call, FIELD_STDIN);
	bool cell = ticket->kind == TICKET_CELL;

	session->executions += cell;
	session->started_ms = session_clock_ms();
	int error = run_begin(
		&(struct run_config){
			.loop = session->executor->loop,
			.sandbox = session->sandbox,
			.limits = ticket->limits,
			.cpu_percent = session->executor->options.cpu_percent,
			.grace_ms = session->executor->options.interrupt_grace_ms,
			.job = { .kind = job_kind(ticket),
				 .replay = session->replay_due ? session->replay.code : NULL,
				 .replay_length = session->replay_due ? session->replay.length : 0,
				 .flags = session->profile->readonly ? MAILBOX_READONLY : 0,
				 .execution = session->executions,
				 .payload = code.value,
				 .payload_length = code.length,
				 .stdin_bytes = input.value,
				 .stdin_length = input.length },
			.has_state = session->cells > 0,
			.owner = { .output = on_output,
				   .finished = on_finished,
				   .context = ticket } },
		&ticket->run);
	if (!error)
		return;
	session->executions -= cell;
	if (error == -ENOENT) { /* it has died, and this comes before init's word of it */
		session_own_sandbox(session);
		session_go_back_alone(session); /* and then the ticket is served */
		return;
	}
	struct call *call = ticket->call;
	session->current = NULL;
	ticket->call = NULL;
	call->cancel = NULL;
	ticket_free(ticket);
	session_own_sandbox(session);
	req_refuse_internal(call, "start the cell", error);
	session_go_back_alone(session);
}
