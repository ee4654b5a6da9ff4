/* A session's job: a cell, a command, a look at its variables. Its turn, its beginning,
 * what it says; session_outcome.c has its end. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/mailbox.h"
#include "executor/server/server.h"
#include "executor/session/session_parts.h"

static bool is_cell(const struct session *session)
{
	return session->current->kind == TICKET_CELL;
}

/* -- its turn ------------------------------------------------------------------------ */

void session_pick(struct session *session)
{
	session->current = tickets_take(&session->tickets);
	session_touch(session);
	sandbox_rest(session->sandbox, !session->current);
	if (!session->current)
		return;
	bool back = session->current->kind == TICKET_RESET || session->current->kind == TICKET_UNDO;
	session_happens(session, back ? EV_REWIND_WANTED : EV_JOB_WANTED);
}

static void on_place(struct waiter *waiter, struct sandbox *sandbox)
{
	struct session *session = LOOP_OWNER(waiter, struct session, place);

	(void)sandbox;
	session->placed = true;
	session_happens(session, EV_PLACE);
}

static void on_no_place(struct waiter *waiter)
{
	session_happens(LOOP_OWNER(waiter, struct session, place), EV_NO_PLACE);
}

void session_admit(struct session *session)
{
	session->place = (struct waiter){ .client = session->client,
					  .client_length = strlen(session->client),
					  .runs = true,
					  .granted = on_place,
					  .expired = on_no_place };
	if (admission_enter(session->executor->admission, &session->place))
		session_happens(session, EV_NO_PLACE);
}

static void leave_place(struct session *session)
{
	struct admission *admission = session->executor->admission;

	admission_withdraw(admission, &session->place);
	if (!session->placed)
		return;
	session->placed = false;
	admission_leave(admission, &session->place);
}

void session_let_go(struct session *session)
{
	loop_clear_timer(session->executor->loop, &session->leave);
	run_free(session->run);
	session->run = NULL;
	session->cell = NULL;
	if (session->current)
		ticket_free(session->current);
	session->current = NULL;
	leave_place(session);
}

void session_drop(struct session *session)
{
	session_let_go(session);
	session_happens(session, EV_NEXT);
}

void session_refuse_busy(struct session *session)
{
	session->executor->counters[COUNTER_REFUSED]++;
	ticket_refuse(session->current, REFUSAL_BUSY,
		      "The service is busy: the cell waited too long.",
		      admission_retry_ms(session->executor->admission));
	session->current = NULL;
	session_drop(session);
}

/* It has not begun: it is done when the session can. */
static void put_back(struct session *session)
{
	if (session->current && session->current->call) {
		tickets_put_back(&session->tickets, session->current);
		session->current = NULL;
	}
	session_let_go(session);
}

void session_recover_and_retry(struct session *session)
{
	put_back(session);
	session_recover(session);
}

void session_replace_and_retry(struct session *session)
{
	put_back(session);
	session_replace_sandbox(session);
}

void session_refuse_broken(struct session *session)
{
	struct call *call = ticket_take_call(session->current);

	session_let_go(session);
	if (call)
		call_refuse_busy(call, REFUSAL_INTERNAL, "The cell could not be started.", 1000);
	session_recover(session);
}

/* -- what it says --------------------------------------------------------------------- */

/* The client has to read first. */
static void hold_if_full(struct session *session)
{
	struct call *call = session->current->call;

	if (session->cell ? cell_must_wait(session->cell)
			  : call && call->has_room && !call_has_room(call))
		run_hold(session->run, true);
}

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct session *session = context;

	if (session->cell) {
		cell_write(session->cell, stream, bytes, length);
		cells_changed(&session->cells);
	} else if (session->current->call) {
		call_output(session->current->call, stream, bytes, length);
	}
	hold_if_full(session);
}

static void on_display(void *context, const uint8_t *text, size_t length)
{
	struct session *session = context;

	if (!session->cell)
		return;
	cell_show(session->cell, text, length);
	cells_changed(&session->cells);
	hold_if_full(session);
}

static void on_input(void *context, const uint8_t *prompt, size_t length, bool password)
{
	struct session *session = context;

	if (session->cell)
		cell_ask(session->cell, prompt, length, password);
	hold_if_full(session);
	session_happens(session, EV_INPUT_WANTED);
}

static bool met_limit(const struct outcome *outcome)
{
	return outcome->reason >= REASON_WALL_TIME && outcome->reason <= REASON_DISK;
}

static void on_finished(void *context, const struct outcome *outcome)
{
	static const enum session_event events[] = {
		[REMAINS_IDLE] = EV_DONE,
		[REMAINS_KILLED] = EV_KILLED,
		[REMAINS_NONE] = EV_FAILED,
	};
	struct session *session = context;
	bool tidy = outcome->remains == REMAINS_IDLE && session->cell && met_limit(outcome);

	session->outcome = *outcome;
	session_happens(session, tidy ? EV_LEFTOVERS : events[outcome->remains]);
}

/* -- who listens ----------------------------------------------------------------------- */

static void on_cell_has_room(void *context, struct cell *cell)
{
	struct session *session = context;

	(void)cell;
	if (session->run)
		run_hold(session->run, false);
}

static void on_command_has_room(struct call *call)
{
	struct ticket *ticket = call->context;
	struct session *session = ticket->tickets->context;

	if (session->run)
		run_hold(session->run, false);
}

static void on_leave(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, leave);

	if (!cell_is_followed(session->cell))
		session_happens(session, EV_LEFT);
}

/* Whoever follows a stream may have lost the connection only, and come back. */
static void on_cell_left(void *context, struct cell *cell, bool paced)
{
	struct session *session = context;
	uint64_t wait_us = session->executor->options.leave_ms * 1000;

	if (cell_is_detached(cell))
		return;
	if (!paced || loop_set_timer(session->executor->loop, &session->leave,
				     loop_now_us() + wait_us, on_leave))
		session_happens(session, EV_LEFT);
}

/* -- beginning ------------------------------------------------------------------------- */

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

static uint32_t job_flags(const struct session *session, const struct call *call)
{
	uint32_t flags = session->profile->readonly ? MAILBOX_READONLY : 0;

	if (is_cell(session) && req_number(call, FIELD_INTERACTIVE))
		flags |= MAILBOX_INTERACTIVE;
	if (is_cell(session) && (req_number(call, FIELD_STREAM) || req_number(call, FIELD_DETACH)))
		flags |= MAILBOX_STREAMING;
	return flags;
}

static int begin_run(struct session *session)
{
	const struct options *options = &session->executor->options;
	const struct undo *undo = &session->undo;
	const struct call *call = session->current->call;
	struct field_view code = req_optional(call, FIELD_CODE);
	struct field_view input = req_optional(call, FIELD_STDIN);

	return run_begin(
		&(struct run_config){
			.loop = session->executor->loop,
			.sandbox = session->sandbox,
			.limits = session->current->limits,
			.cpu_percent = options->cpu_percent,
			.rivals = admission_rivals(&session->place),
			.grace_ms = options->interrupt_grace_ms,
			.input_ms = options->input_ms,
			.displays = options->displays,
			.display_bytes = options->display_bytes,
			.job = { .kind = job_kind(session->current),
				 .replay = undo->replay_due ? undo->replay.code : NULL,
				 .replay_length = undo->replay_due ? undo->replay.length : 0,
				 .flags = job_flags(session, call),
				 .execution = session->executions,
				 .payload = code.value,
				 .payload_length = code.length,
				 .stdin_bytes = input.value,
				 .stdin_length = input.length },
			.owner = { .output = on_output,
				   .display = on_display,
				   .input = on_input,
				   .finished = on_finished,
				   .context = session } },
		&session->run);
}

static int begin_cell(struct session *session)
{
	struct field_view code = req_optional(session->current->call, FIELD_CODE);
	const struct cell_config config = {
		.session_id = session->id,
		.execution = session->executions,
		.created_ms = session_clock_ms(),
		.code = code.value,
		.code_length = code.length,
		.most_bytes = session->executor->options.cell_output_bytes,
		.detached = req_number(session->current->call, FIELD_DETACH),
		.owner = { .left = on_cell_left, .has_room = on_cell_has_room, .context = session },
	};

	return cells_begin(&session->cells, &config, &session->cell);
}

static void tell_start(struct session *session, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	(void)fields_put_number(&fields, FIELD_EXECUTION, session->executions);
	(void)fields_put_number(&fields, FIELD_SEQUENCE, 1);
	call_event(call, FRAME_START, fields.data, fields.length);
}

/* Events follow from now on, no refusal any more. */
static void begin_telling(struct session *session)
{
	struct call *call = session->current->call;
	bool streams = req_number(call, FIELD_STREAM);

	if (session->cell) {
		cell_follow(session->cell, ticket_take_call(session->current), 1, streams, true);
	} else if (streams) {
		call->has_room = on_command_has_room;
		tell_start(session, call);
	}
}

void session_start(struct session *session)
{
	bool cell = is_cell(session);

	session->executions += cell;
	call_request_id(session->current->call, session->request_id, sizeof session->request_id);
	int error = cell ? begin_cell(session) : 0;
	if (!error && cell)
		error = sandbox_note_others(session->sandbox);
	if (!error)
		error = begin_run(session);
	if (!error) {
		begin_telling(session);
		return;
	}
	session->executions -= cell;
	if (session->cell)
		cells_take_back(&session->cells);
	session->cell = NULL;
	/* -ENOENT: it has died, and this comes before init's word of it */
	if (error != -ENOENT)
		log_error("session %s: cannot start a job: %s", session->id, strerror(-error));
	session_happens(session, error == -ENOENT ? EV_DIED : EV_NOT_STARTED);
}

/* -- while it runs --------------------------------------------------------------------- */

void session_interrupt_job(struct session *session)
{
	run_interrupt(session->run);
}

/* Who waits for a person takes nobody's place. */
void session_ask(struct session *session)
{
	admission_pause(session->executor->admission, &session->place);
}

void session_keep_input(struct session *session)
{
	session->input.error = run_give_input(session->run, session->input.bytes,
					      session->input.length, session->input.eof);
}

void session_pass_input(struct session *session)
{
	admission_return(session->executor->admission, &session->place);
	if (session->cell)
		cell_answered(session->cell);
	session_keep_input(session);
}
