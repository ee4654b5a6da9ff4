/* What a worker runs: the loading, a case, an output that needs the submission's
 * names; and what their reports say. */
#include <signal.h>
#include <string.h>

#include "executor/grading/evaluation.h"

/* -- runs ------------------------------------------------------------------------- */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct worker *worker = context;

	if (stream == SANDBOX_STDOUT && worker->judged && worker->phase == WORKER_RUNS)
		(void)buffer_append(&worker->judged->printed, bytes, length);
}

static void on_finished(void *context, const struct outcome *outcome);

static int begin_run(struct worker *worker, enum worker_phase phase, struct sandbox_job job)
{
	struct evaluation *evaluation = worker->evaluation;

	worker->phase = phase;
	job.flags = evaluation->flags;
	job.execution = 1;
	return run_begin(&(struct run_config){ .loop = evaluation->executor->loop,
					       .sandbox = worker->sandbox,
					       .limits = evaluation->limits,
					       .cpu_percent =
						       evaluation->executor->options.cpu_percent,
					       .job = job,
					       .owner = { .output = on_output,
							  .finished = on_finished,
							  .context = worker } },
			 &worker->run);
}

static void end_run(struct worker *worker)
{
	run_free(worker->run);
	worker->run = NULL;
	worker_own_sandbox(worker);
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

struct outcome worker_failure(void)
{
	return (struct outcome){ .status = STATUS_FAILED,
				 .reason = REASON_INTERNAL,
				 .return_code = -SIGKILL,
				 .state = STATE_LOST };
}

void worker_load(struct worker *worker)
{
	struct field_view code = req_optional(worker->evaluation->call, FIELD_CODE);

	if (!begin_run(worker, WORKER_LOADS,
		       (struct sandbox_job){ .kind = JOB_LOAD,
					     .payload = code.value,
					     .payload_length = code.length }))
		return;
	const struct outcome failure = worker_failure();
	evaluation_load_failed(worker->evaluation, &failure);
}

/* Has it come to its end in Python, or has it ended its process (os._exit(0))? */
static struct outcome as_seen(const struct worker *worker, const struct outcome *given, unsigned proof)
{
	struct outcome outcome = *given;

	if (outcome.status == STATUS_SUCCESS &&
	    (!sandbox_is_idle(worker->sandbox) ||
	     !fields_has(outcome.report, outcome.report_length, proof))) {
		outcome.status = STATUS_ERROR;
		outcome.reason = REASON_EXIT;
	}
	return outcome;
}

/* Code that has loaded elsewhere fails one case only. */
static void on_load_failed(struct worker *worker, struct outcome *outcome)
{
	struct judged *judged = worker->judged;
	size_t most = worker->evaluation->display_bytes;
	AUTO_BUFFER exception = BUFFER_INIT(MAILBOX_REPORT_MAX);

	if (worker->evaluation->has_loaded && judged) {
		keep_exception(&judged->exception, outcome, most);
		keep_outcome(judged, outcome);
		judged->outcome.state = STATE_LOST; /* of no use to another case */
		end_run(worker);
		worker_leave_case(worker);
		return;
	}
	keep_exception(&exception, outcome, most);
	outcome->report = exception.data;
	outcome->report_length = exception.length;
	evaluation_load_failed(worker->evaluation, outcome);
}

static void on_loaded(struct worker *worker, const struct outcome *given)
{
	struct outcome outcome = as_seen(worker, given, FIELD_ENDED_BY);
	uint64_t ended_by = fields_number(given->report, given->report_length, FIELD_ENDED_BY,
					  ENDED_NORMALLY);

	if (outcome.status == STATUS_SUCCESS && ended_by != ENDED_NORMALLY) {
		outcome.status = STATUS_ERROR; /* sys.exit(0), in the midst of it */
		outcome.reason = REASON_EXIT;
	}
	if (outcome.status != STATUS_SUCCESS) {
		on_load_failed(worker, &outcome);
		return;
	}
	end_run(worker);
	worker->loaded = worker->evaluation->has_loaded = true;
	worker_go_on(worker);
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

static void fail_case(struct worker *worker)
{
	worker->judged->outcome = worker_failure();
}

static void begin_expectation(struct worker *worker)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);

	if (!put(&payload, of_case(worker->judged, FIELD_CASE_OUTPUT)) &&
	    !begin_run(worker, WORKER_EXPECTS,
		       (struct sandbox_job){ .kind = JOB_EXPECT,
					     .payload = payload.data,
					     .payload_length = payload.length }))
		return;
	fail_case(worker);
	worker_leave_case(worker);
}

static void on_ran(struct worker *worker, const struct outcome *given)
{
	struct judged *judged = worker->judged;
	bool data = given->report && fields_has(given->report, given->report_length, FIELD_DATA);
	unsigned proof = data ? FIELD_DATA : FIELD_REPR;
	struct outcome outcome = judged->calls ? as_seen(worker, given, proof) : *given;

	keep_exception(&judged->exception, &outcome, worker->evaluation->display_bytes);
	if (outcome.status == STATUS_SUCCESS && judged->calls)
		keep_data(judged, &outcome);
	keep_outcome(judged, &outcome);
	end_run(worker);
	if (judged->needs_names && outcome.status == STATUS_SUCCESS)
		begin_expectation(worker);
	else
		worker_leave_case(worker);
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
static void on_expected(struct worker *worker, const struct outcome *given)
{
	static const unsigned tags[] = { FIELD_EXPECTED_DATA, FIELD_EQUAL, FIELD_MESSAGE };
	struct judged *judged = worker->judged;
	struct outcome outcome = as_seen(worker, given, FIELD_ENDED_BY);

	if (outcome.status == STATUS_SUCCESS) {
		for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
			pass_on(&judged->got, &outcome, tags[i], MAILBOX_REPORT_MAX);
	} else {
		say_failed_expectation(judged, &outcome);
	}
	judged->outcome.state = outcome.state;
	end_run(worker);
	worker_leave_case(worker);
}

static void on_finished(void *context, const struct outcome *outcome)
{
	struct worker *worker = context;

	switch (worker->phase) {
	case WORKER_LOADS:
		on_loaded(worker, outcome);
		break;
	case WORKER_RUNS:
		on_ran(worker, outcome);
		break;
	case WORKER_EXPECTS:
		on_expected(worker, outcome);
		break;
	default:
		break;
	}
}

static int begin_call(struct worker *worker)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	int error = put(&payload, req_optional(worker->evaluation->call, FIELD_ENTRY_POINT));

	if (!error)
		error = put(&payload, of_case(worker->judged, FIELD_CASE_INPUT));
	return error ? error :
		       begin_run(worker, WORKER_RUNS,
				 (struct sandbox_job){ .kind = JOB_CALL,
						       .payload = payload.data,
						       .payload_length = payload.length });
}

static int begin_script(struct worker *worker)
{
	struct field_view code = req_optional(worker->evaluation->call, FIELD_CODE);
	struct field_view input = of_case(worker->judged, FIELD_STDIN);

	return begin_run(worker, WORKER_RUNS,
			 (struct sandbox_job){ .kind = JOB_SCRIPT,
					       .payload = code.value,
					       .payload_length = code.length,
					       .stdin_bytes = input.value,
					       .stdin_length = input.length });
}

void worker_begin_case(struct worker *worker)
{
	sandbox_reset_peak(worker->sandbox);
	if (worker->judged->calls ? begin_call(worker) : begin_script(worker)) {
		worker_own_sandbox(worker);
		fail_case(worker);
		worker_leave_case(worker);
	}
}
