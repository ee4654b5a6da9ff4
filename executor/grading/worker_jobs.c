#include "executor/grading/worker.h"

#include <signal.h>
#include <string.h>

#include "common/mailbox.h"
#include "executor/server/server.h"

/* -- runs ------------------------------------------------------------------------- */

static int begin_run(struct worker *worker, struct sandbox_job job)
{
	const struct submission *submission = worker->submission;
	const struct executor *executor = submission->executor;

	job.flags = submission->flags;
	job.execution = 1;
	return run_begin(&(struct run_config){ .loop = executor->loop,
					       .sandbox = worker->sandbox,
					       .limits = submission->limits,
					       .cpu_percent = executor->options.cpu_percent,
					       .rivals = admission_rivals(&worker->waiter),
					       .job = job,
					       .owner = worker->job_owner },
			 &worker->run);
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
	field.length = utf8_cut(field.value, field.length, most);
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
	static const unsigned tags[] = { FIELD_ENDED_BY,          FIELD_EXIT_CODE,
					 FIELD_EXCEPTION_LINE,    FIELD_EXCEPTION_TYPE,
					 FIELD_EXCEPTION_MESSAGE, FIELD_TRACEBACK };

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

struct outcome worker_jobs_failure(void)
{
	return (struct outcome){ .status = STATUS_FAILED,
				 .reason = REASON_INTERNAL,
				 .return_code = -SIGKILL,
				 .state = STATE_LOST };
}

int worker_jobs_load(struct worker *worker)
{
	struct field_view code = req_optional(worker->submission->call, FIELD_CODE);

	return begin_run(worker, (struct sandbox_job){ .kind = JOB_LOAD,
						       .payload = code.value,
						       .payload_length = code.length });
}

/* Has it come to its end in Python, or has it ended its process (os._exit(0))? */
static struct outcome as_seen(const struct worker *worker, const struct outcome *given,
			      unsigned proof)
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

bool worker_jobs_loaded(const struct worker *worker, const struct outcome *given,
			struct outcome *ret_outcome)
{
	uint64_t ended_by =
		fields_number(given->report, given->report_length, FIELD_ENDED_BY, ENDED_NORMALLY);

	*ret_outcome = as_seen(worker, given, FIELD_ENDED_BY);
	if (ret_outcome->status == STATUS_SUCCESS && ended_by != ENDED_NORMALLY) {
		ret_outcome->status = STATUS_ERROR; /* sys.exit(0), in the midst of it */
		ret_outcome->reason = REASON_EXIT;
	}
	return ret_outcome->status == STATUS_SUCCESS;
}

void worker_jobs_keep_failed_load(struct worker *worker, const struct outcome *outcome)
{
	struct judged *judged = worker->judged;

	keep_exception(&judged->exception, outcome, worker->submission->display_bytes);
	keep_outcome(judged, outcome);
	judged->outcome.state = STATE_LOST; /* of no use to another case */
}

int worker_jobs_report_load(struct worker *worker, const struct outcome *given)
{
	AUTO_BUFFER exception = BUFFER_INIT(MAILBOX_REPORT_MAX);
	struct outcome outcome = *given;

	keep_exception(&exception, given, worker->submission->display_bytes);
	outcome.report = exception.data;
	outcome.report_length = exception.length;
	return submission_load_failed(worker->submission, &outcome);
}

/* -- a case ----------------------------------------------------------------------- */

static void keep_data(struct judged *judged, const struct outcome *outcome)
{
	static const unsigned tags[] = { FIELD_DATA, FIELD_REPR, FIELD_MESSAGE };

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		pass_on(&judged->got, outcome, tags[i], MAILBOX_REPORT_MAX);
}

bool worker_jobs_ran(struct worker *worker, const struct outcome *given)
{
	struct judged *judged = worker->judged;
	bool data = given->report && fields_has(given->report, given->report_length, FIELD_DATA);
	unsigned proof = data ? FIELD_DATA : FIELD_REPR;
	struct outcome outcome = judged->calls ? as_seen(worker, given, proof) : *given;

	keep_exception(&judged->exception, &outcome, worker->submission->display_bytes);
	if (outcome.status == STATUS_SUCCESS && judged->calls)
		keep_data(judged, &outcome);
	keep_outcome(judged, &outcome);
	return outcome.status == STATUS_SUCCESS;
}

int worker_jobs_expect(struct worker *worker)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	int error = put(&payload, judged_field(worker->judged, FIELD_CASE_OUTPUT));

	return error ? error
		     : begin_run(worker, (struct sandbox_job){ .kind = JOB_EXPECT,
							       .payload = payload.data,
							       .payload_length = payload.length });
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

void worker_jobs_expected(struct worker *worker, const struct outcome *given)
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
}

static int run_call(struct worker *worker)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	int error = put(&payload, req_optional(worker->submission->call, FIELD_ENTRY_POINT));

	if (!error)
		error = put(&payload, judged_field(worker->judged, FIELD_CASE_INPUT));
	if (!error)
		error = buffer_append(&payload, worker->judged->arguments.data,
				      worker->judged->arguments.length);
	return error ? error
		     : begin_run(worker, (struct sandbox_job){ .kind = JOB_CALL,
							       .payload = payload.data,
							       .payload_length = payload.length });
}

static int run_script(struct worker *worker)
{
	struct field_view code = req_optional(worker->submission->call, FIELD_CODE);
	struct field_view input = judged_field(worker->judged, FIELD_STDIN);

	return begin_run(worker, (struct sandbox_job){ .kind = JOB_SCRIPT,
						       .payload = code.value,
						       .payload_length = code.length,
						       .stdin_bytes = input.value,
						       .stdin_length = input.length });
}

int worker_jobs_run(struct worker *worker)
{
	return worker->judged->calls ? run_call(worker) : run_script(worker);
}
