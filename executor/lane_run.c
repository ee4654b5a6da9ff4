/* What a lane runs: the loading, a case, an output that needs the submission's
 * names; and what their reports say. */
#include <signal.h>
#include <string.h>

#include "evaluation.h"

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
	lane_own_sandbox(lane);
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

/* The report goes with the run. */
static void keep_outcome(struct judged *judged, const struct outcome *outcome)
{
	judged->outcome = *outcome;
	judged->outcome.report = NULL;
	judged->outcome.report_length = 0;
}

/* -- loading ---------------------------------------------------------------------- */

struct outcome lane_failure(void)
{
	return (struct outcome){ .status = STATUS_FAILED,
				 .reason = REASON_INTERNAL,
				 .return_code = -SIGKILL,
				 .state = STATE_LOST };
}

void lane_load(struct lane *lane)
{
	struct field_view code = req_optional(lane->evaluation->call, FIELD_CODE);

	if (!begin_run(lane, LANE_LOADS,
		       (struct sandbox_job){ .kind = JOB_LOAD,
					     .payload = code.value,
					     .payload_length = code.length }))
		return;
	const struct outcome failure = lane_failure();
	evaluation_load_failed(lane->evaluation, &failure);
}

/* Has it come to its end in Python, or has it ended its process (os._exit(0))? */
static struct outcome as_seen(const struct lane *lane, const struct outcome *given, unsigned proof)
{
	struct outcome outcome = *given;

	if (outcome.status == STATUS_SUCCESS &&
	    (!sandbox_is_idle(lane->sandbox) ||
	     !fields_has(outcome.report, outcome.report_length, proof))) {
		outcome.status = STATUS_ERROR;
		outcome.reason = REASON_EXIT;
	}
	return outcome;
}

/* Code that has loaded elsewhere fails one case only. */
static void on_load_failed(struct lane *lane, struct outcome *outcome)
{
	struct judged *judged = lane->judged;
	size_t most = lane->evaluation->display_bytes;
	AUTO_BUFFER exception = BUFFER_INIT(MAILBOX_REPORT_MAX);

	if (lane->evaluation->has_loaded && judged) {
		keep_exception(&judged->exception, outcome, most);
		keep_outcome(judged, outcome);
		judged->outcome.state = STATE_LOST; /* of no use to another case */
		end_run(lane);
		lane_leave_case(lane);
		return;
	}
	keep_exception(&exception, outcome, most);
	outcome->report = exception.data;
	outcome->report_length = exception.length;
	evaluation_load_failed(lane->evaluation, outcome);
}

static void on_loaded(struct lane *lane, const struct outcome *given)
{
	struct outcome outcome = as_seen(lane, given, FIELD_ENDED_BY);
	uint64_t ended_by = fields_number(given->report, given->report_length, FIELD_ENDED_BY,
					  ENDED_NORMALLY);

	if (outcome.status == STATUS_SUCCESS && ended_by != ENDED_NORMALLY) {
		outcome.status = STATUS_ERROR; /* sys.exit(0), in the midst of it */
		outcome.reason = REASON_EXIT;
	}
	if (outcome.status != STATUS_SUCCESS) {
		on_load_failed(lane, &outcome);
		return;
	}
	end_run(lane);
	lane->loaded = lane->evaluation->has_loaded = true;
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
	lane->judged->outcome = lane_failure();
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
	lane_leave_case(lane);
}

static void on_ran(struct lane *lane, const struct outcome *given)
{
	struct judged *judged = lane->judged;
	bool data = given->report && fields_has(given->report, given->report_length, FIELD_DATA);
	unsigned proof = data ? FIELD_DATA : FIELD_REPR;
	struct outcome outcome = judged->calls ? as_seen(lane, given, proof) : *given;

	keep_exception(&judged->exception, &outcome, lane->evaluation->display_bytes);
	if (outcome.status == STATUS_SUCCESS && judged->calls)
		keep_data(judged, &outcome);
	keep_outcome(judged, &outcome);
	end_run(lane);
	if (judged->needs_names && outcome.status == STATUS_SUCCESS)
		begin_expectation(lane);
	else
		lane_leave_case(lane);
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
	lane_leave_case(lane);
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

void lane_begin_case(struct lane *lane)
{
	sandbox_reset_peak(lane->sandbox);
	if (lane->judged->calls ? begin_call(lane) : begin_script(lane)) {
		lane_own_sandbox(lane);
		fail_case(lane);
		lane_leave_case(lane);
	}
}
