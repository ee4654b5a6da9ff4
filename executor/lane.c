/* A lane of an evaluation: one case at a time, from a sandbox of its own. */
#include <signal.h>
#include <string.h>

#include "evaluation.h"

static void own_sandbox(struct lane *lane);
static void renew(struct lane *lane);

/* -- runs ------------------------------------------------------------------------- */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct lane *lane = context;

	if (stream == SANDBOX_STDOUT && lane->judged && lane->phase == LANE_RUNS)
		(void)buffer_append(&lane->judged->printed, bytes, length);
}

static void on_finished(void *context, const struct outcome *outcome);

static int begin_run(struct lane *lane, enum lane_phase phase, struct sandbox_job job)
{
	struct evaluation *evaluation = lane->evaluation;

	lane->phase = phase;
	job.flags = evaluation->flags;
	job.execution = 1;
	return run_begin(&(struct run_config){ .loop = evaluation->executor->loop,
					       .sandbox = lane->sandbox,
					       .limits = evaluation->limits,
					       .cpu_percent =
						       evaluation->executor->options.cpu_percent,
					       .job = job,
					       .owner = { .output = on_output,
							  .finished = on_finished,
							  .context = lane } },
			 &lane->run);
}

static void end_run(struct lane *lane)
{
	run_free(lane->run);
	lane->run = NULL;
	own_sandbox(lane);
}

/* -- what a report says ------------------------------------------------------------ */

static int put(struct buffer *list, struct field_view field)
{
	return fields_put_bytes(list, field.tag, field.value, field.length);
}

/* Cut between two characters; empty if it is not there. */
static struct field_view cut_field(const struct outcome *outcome, unsigned tag, size_t most)
{
	struct field_view field = { 0 };

	(void)fields_find(outcome->report, outcome->report_length, tag, &field);
	if (field.length > most) {
		field.length = most;
		while (field.length && (field.value[field.length] & 0xc0) == 0x80)
			field.length--;
	}
	return field;
}

static void pass_on(struct buffer *list, const struct outcome *outcome, unsigned tag, size_t most)
{
	struct field_view field = cut_field(outcome, tag, most);

	if (field.value)
		(void)put(list, field);
}

static void keep_exception(struct buffer *exception, const struct outcome *outcome, size_t most)
{
	static const unsigned tags[] = { FIELD_ENDED_BY, FIELD_EXIT_CODE, FIELD_EXCEPTION_LINE,
					 FIELD_EXCEPTION_TYPE, FIELD_EXCEPTION_MESSAGE,
					 FIELD_TRACEBACK };

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		pass_on(exception, outcome, tags[i], most);
}

/* -- loading ---------------------------------------------------------------------- */

static struct outcome internal_failure(void)
{
	return (struct outcome){ .status = STATUS_FAILED,
				 .reason = REASON_INTERNAL,
				 .return_code = -SIGKILL,
				 .state = STATE_LOST };
}

static void load(struct lane *lane)
{
	struct field_view code = req_optional(lane->evaluation->call, FIELD_CODE);

	if (!begin_run(lane, LANE_LOADS,
		       (struct sandbox_job){ .kind = JOB_LOAD,
					     .payload = code.value,
					     .payload_length = code.length }))
		return;
	const struct outcome failure = internal_failure();
	evaluation_load_failed(lane->evaluation, &failure);
}

static bool says(const struct outcome *outcome, unsigned tag)
{
	struct field_view field;

	return fields_find(outcome->report, outcome->report_length, tag, &field) == 1;
}

/* Has it come to its end in Python, or has it ended its process (os._exit(0))? */
static struct outcome as_seen(const struct lane *lane, const struct outcome *given, unsigned proof)
{
	struct outcome outcome = *given;

	if (outcome.status == STATUS_SUCCESS &&
	    (!sandbox_is_idle(lane->sandbox) || !says(&outcome, proof))) {
		outcome.status = STATUS_ERROR;
		outcome.reason = REASON_EXIT;
	}
	return outcome;
}

static void on_loaded(struct lane *lane, const struct outcome *given)
{
	struct outcome outcome = as_seen(lane, given, FIELD_ENDED_BY);
	uint64_t ended_by = fields_number(given->report, given->report_length, FIELD_ENDED_BY,
					  ENDED_NORMALLY);
	AUTO_BUFFER exception = BUFFER_INIT(MAILBOX_REPORT_MAX);

	if (outcome.status == STATUS_SUCCESS && ended_by != ENDED_NORMALLY) {
		outcome.status = STATUS_ERROR; /* sys.exit(0), in the midst of it */
		outcome.reason = REASON_EXIT;
	}
	if (outcome.status != STATUS_SUCCESS) {
		keep_exception(&exception, &outcome, lane->evaluation->display_bytes);
		outcome.report = exception.data;
		outcome.report_length = exception.length;
		evaluation_load_failed(lane->evaluation, &outcome);
		return;
	}
	end_run(lane);
	lane->loaded = true;
	lane_go_on(lane);
}

/* -- a case ----------------------------------------------------------------------- */

static struct field_view of_case(const struct judged *judged, unsigned tag)
{
	struct field_view field = { .tag = tag, .value = (const uint8_t *)"" };

	(void)fields_find(judged->asked.value, judged->asked.length, tag, &field);
	return field;
}

static void keep_data(struct judged *judged, const struct outcome *outcome)
{
	static const unsigned tags[] = { FIELD_DATA, FIELD_REPR, FIELD_MESSAGE };

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		pass_on(&judged->got, outcome, tags[i], MAILBOX_REPORT_MAX);
}

static void fail_case(struct lane *lane)
{
	lane->judged->outcome = internal_failure();
}

/* The case is over; its sandbox, or its process, is. */
static void leave_case(struct lane *lane)
{
	struct judged *judged = lane->judged;

	lane->judged = NULL;
	if (lane->fresh || judged->outcome.state == STATE_LOST || sandbox_join(lane->sandbox))
		renew(lane);
	else
		lane->phase = LANE_JOINS;
	evaluation_ran(lane->evaluation, judged);
}

static void begin_expectation(struct lane *lane)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);

	if (!put(&payload, of_case(lane->judged, FIELD_CASE_OUTPUT)) &&
	    !begin_run(lane, LANE_EXPECTS,
		       (struct sandbox_job){ .kind = JOB_EXPECT,
					     .payload = payload.data,
					     .payload_length = payload.length }))
		return;
	fail_case(lane);
	leave_case(lane);
}

static void on_ran(struct lane *lane, const struct outcome *given)
{
	struct judged *judged = lane->judged;
	unsigned proof = given->report && says(given, FIELD_DATA) ? FIELD_DATA : FIELD_REPR;
	struct outcome outcome = judged->calls ? as_seen(lane, given, proof) : *given;

	keep_exception(&judged->exception, &outcome, lane->evaluation->display_bytes);
	if (outcome.status == STATUS_SUCCESS && judged->calls)
		keep_data(judged, &outcome);
	judged->outcome = outcome;
	judged->outcome.report = NULL; /* it goes with the run */
	judged->outcome.report_length = 0;
	end_run(lane);
	if (judged->needs_names && outcome.status == STATUS_SUCCESS)
		begin_expectation(lane);
	else
		leave_case(lane);
}

/* "the expected output could not be evaluated: NameError: name 'x' is ..." */
static void say_failed_expectation(struct judged *judged, const struct outcome *outcome)
{
	enum { PART_MAX = 512 };
	static const char failed[] = "the expected output could not be evaluated";
	static const unsigned tags[] = { FIELD_EXCEPTION_TYPE, FIELD_EXCEPTION_MESSAGE };
	AUTO_BUFFER text = BUFFER_INIT(sizeof failed + 2 * PART_MAX + 4);
	int error = buffer_append(&text, failed, strlen(failed));

	for (size_t i = 0; !error && i < sizeof tags / sizeof *tags; i++) {
		struct field_view part = cut_field(outcome, tags[i], PART_MAX);

		if (!part.length)
			continue;
		error = buffer_append(&text, ": ", 2);
		if (!error)
			error = buffer_append(&text, part.value, part.length);
	}
	if (!error)
		(void)fields_put_bytes(&judged->got, FIELD_MESSAGE, text.data, text.length);
}

/* What was expected, as the submission's own names have it. */
static void on_expected(struct lane *lane, const struct outcome *given)
{
	static const unsigned tags[] = { FIELD_EXPECTED_DATA, FIELD_EQUAL, FIELD_MESSAGE };
	struct judged *judged = lane->judged;
	struct outcome outcome = as_seen(lane, given, FIELD_ENDED_BY);

	if (outcome.status == STATUS_SUCCESS) {
		for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
			pass_on(&judged->got, &outcome, tags[i], MAILBOX_REPORT_MAX);
	} else {
		say_failed_expectation(judged, &outcome);
	}
	judged->outcome.state = outcome.state;
	end_run(lane);
	leave_case(lane);
}

static void on_finished(void *context, const struct outcome *outcome)
{
	struct lane *lane = context;

	switch (lane->phase) {
	case LANE_LOADS:
		on_loaded(lane, outcome);
		break;
	case LANE_RUNS:
		on_ran(lane, outcome);
		break;
	case LANE_EXPECTS:
		on_expected(lane, outcome);
		break;
	default:
		break;
	}
}

static int begin_call(struct lane *lane)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	int error = put(&payload, req_optional(lane->evaluation->call, FIELD_ENTRY_POINT));

	if (!error)
		error = put(&payload, of_case(lane->judged, FIELD_CASE_INPUT));
	return error ? error :
		       begin_run(lane, LANE_RUNS,
				 (struct sandbox_job){ .kind = JOB_CALL,
						       .payload = payload.data,
						       .payload_length = payload.length });
}

static int begin_script(struct lane *lane)
{
	struct field_view code = req_optional(lane->evaluation->call, FIELD_CODE);
	struct field_view input = of_case(lane->judged, FIELD_STDIN);

	return begin_run(lane, LANE_RUNS,
			 (struct sandbox_job){ .kind = JOB_SCRIPT,
					       .payload = code.value,
					       .payload_length = code.length,
					       .stdin_bytes = input.value,
					       .stdin_length = input.length });
}

static void begin_case(struct lane *lane)
{
	sandbox_reset_peak(lane->sandbox);
	if (lane->judged->calls ? begin_call(lane) : begin_script(lane)) {
		own_sandbox(lane);
		fail_case(lane);
		leave_case(lane);
	}
}

/* -- the sandbox ------------------------------------------------------------------ */

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct lane *lane = context;

	if (lane->phase == LANE_FORKS && sandbox_is_forked(sandbox) &&
	    sandbox_fork_is_marked(sandbox)) {
		lane->judged->progress = CASE_WAITS;
		lane->judged = NULL;
		renew(lane);
		evaluation_go_on(lane->evaluation);
	} else if (lane->phase == LANE_FORKS) {
		lane->fresh = !sandbox_is_forked(sandbox);
		begin_case(lane);
	} else if (lane->phase == LANE_JOINS) {
		if (sandbox_is_alone(sandbox)) {
			lane_go_on(lane);
		} else { /* files, or a trace of them */
			renew(lane);
			evaluation_go_on(lane->evaluation);
		}
	}
}

static void on_lost(void *context, struct sandbox *sandbox)
{
	struct lane *lane = context;
	struct judged *judged = lane->judged;

	(void)sandbox;
	if (judged)
		fail_case(lane);
	lane->judged = NULL;
	renew(lane);
	if (judged)
		evaluation_ran(lane->evaluation, judged);
	else
		evaluation_go_on(lane->evaluation);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	on_lost(context, sandbox);
}

static void own_sandbox(struct lane *lane)
{
	sandbox_set_owner(lane->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								  .died = on_died,
								  .failed = on_lost,
								  .context = lane });
}

static void drop_sandbox(struct lane *lane)
{
	struct admission *admission = lane->evaluation->executor->admission;

	run_free(lane->run);
	lane->run = NULL;
	if (lane->sandbox)
		sandbox_kill(lane->sandbox);
	lane->sandbox = NULL;
	lane->loaded = lane->offered = false;
	if (lane->granted)
		admission_leave(admission);
	lane->granted = false;
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct lane *lane = LOOP_OWNER(waiter, struct lane, waiter);

	lane->granted = true;
	lane->sandbox = sandbox;
	own_sandbox(lane);
	if (sandbox_limit(sandbox, &lane->evaluation->limits)) {
		evaluation_refused(lane->evaluation, REFUSAL_INTERNAL);
	} else if (lane->evaluation->wants_files) {
		lane->phase = LANE_WANTS_FILES;
		evaluation_offer_files(lane->evaluation);
	} else {
		lane_go_on(lane);
	}
}

static void on_expired(struct waiter *waiter)
{
	struct lane *lane = LOOP_OWNER(waiter, struct lane, waiter);

	lane->phase = LANE_CLOSED;
	evaluation_refused(lane->evaluation, REFUSAL_BUSY);
}

void lane_begin(struct lane *lane)
{
	lane->phase = LANE_WAITS;
	lane->waiter = (struct waiter){
		.needs_sandbox = true, .runs = true, .granted = on_granted, .expired = on_expired
	};
	if (admission_enter(lane->evaluation->executor->admission, &lane->waiter))
		on_expired(&lane->waiter);
}

/* What the last case left is not to be met by the next. */
static void renew(struct lane *lane)
{
	drop_sandbox(lane);
	lane->phase = LANE_CLOSED; /* opened again when there is a case for it */
}

static void begin_fork(struct lane *lane)
{
	if (!lane->fresh && !sandbox_is_alone(lane->sandbox))
		lane->fresh = true;
	lane->phase = LANE_FORKS;
	if (lane->fresh || sandbox_fork(lane->sandbox))
		begin_case(lane);
}

void lane_go_on(struct lane *lane)
{
	struct evaluation *evaluation = lane->evaluation;

	if (!lane->judged)
		lane->judged = evaluation_take(evaluation, lane->loaded);
	if (!lane->judged && (evaluation->count || lane->loaded)) {
		lane_close(lane);
		evaluation_go_on(evaluation);
	} else if (!lane->loaded && (!lane->judged || lane->judged->calls)) {
		load(lane);
	} else {
		begin_fork(lane);
	}
}

void lane_withdraw(struct lane *lane)
{
	if (lane->evaluation)
		admission_withdraw(lane->evaluation->executor->admission, &lane->waiter);
}

void lane_close(struct lane *lane)
{
	if (!lane->evaluation)
		return;
	lane_withdraw(lane);
	drop_sandbox(lane);
	lane->judged = NULL;
	lane->phase = LANE_CLOSED;
}
