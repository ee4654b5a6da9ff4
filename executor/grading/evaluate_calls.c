/* FRAME_EVALUATE: a submission and its cases in, a result for each case out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/grading/evaluation.h"
#include "common/log.h"
#include "executor/session/session.h"

enum {
	/* All texts of all results must fit into one frame, with four a case. */
	DISPLAY_SHARE_BYTES = 6 << 20,
	DISPLAY_BYTES_LEAST = 256,
	DISPLAY_BYTES_MOST = 16 << 10,
	TEXTS_A_CASE = 4,
	BUSY_RETRY_MS = 1000,
};

/* -- the end ---------------------------------------------------------------------- */

static void let_go(struct evaluation *evaluation)
{
	struct loop *loop = evaluation->executor->loop;

	/* The place that one leaves must not be given to another, which would begin. */
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_withdraw(&evaluation->workers[i]);
	verdicts_close(&evaluation->verdicts);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_close(&evaluation->workers[i]);
	loop_clear_timer(loop, &evaluation->deadline);
	loop_clear_timer(loop, &evaluation->finish);
	loop_clear_timer(loop, &evaluation->retry);
	for (size_t i = 0; i < evaluation->count; i++) {
		struct judged *judged = &evaluation->cases[i];

		buffer_reset(&judged->exception);
		buffer_reset(&judged->got);
		buffer_reset(&judged->printed);
		buffer_reset(&judged->verdict);
	}
	buffer_reset(&evaluation->load);
	free(evaluation->cases);
	free(evaluation);
}

static void on_cancel(struct call *call)
{
	let_go(call->context);
}

static int put_result(const struct evaluation *evaluation, struct judged *judged,
		      struct buffer *fields)
{
	AUTO_BUFFER one = BUFFER_INIT(FRAME_FINAL_MAX);
	size_t printed = judged->printed.length;
	int error = fields_put_number(&one, FIELD_INDEX, (uint64_t)(judged - evaluation->cases));

	if (printed > evaluation->display_bytes)
		printed = evaluation->display_bytes;
	judged->outcome.report = judged->exception.data;
	judged->outcome.report_length = judged->exception.length;
	if (!error)
		error = outcome_put(&judged->outcome, &one);
	if (!error && judged->verdict.length)
		error = buffer_append(&one, judged->verdict.data, judged->verdict.length);
	if (!error && printed)
		error = fields_put_bytes(&one, FIELD_CONTENT, judged->printed.data, printed);
	return error ? error : fields_put_bytes(fields, FIELD_CASE_RESULT, one.data, one.length);
}

static int put_results(struct evaluation *evaluation, struct buffer *fields)
{
	int error = 0;

	if (evaluation->load.length)
		return fields_put_bytes(fields, FIELD_LOAD, evaluation->load.data,
					evaluation->load.length);
	for (size_t i = 0; !error && i < evaluation->count; i++)
		error = put_result(evaluation, &evaluation->cases[i], fields);
	return error;
}

static size_t count_passed(const struct evaluation *evaluation)
{
	size_t passed = 0;

	for (size_t i = 0; i < evaluation->count; i++) {
		const struct buffer *verdict = &evaluation->cases[i].verdict;

		passed += fields_number(verdict->data, verdict->length, FIELD_PASSED, 0) == 1;
	}
	return passed;
}

static void log_end(const struct evaluation *evaluation)
{
	char id[160];

	call_request_id(evaluation->call, id, sizeof id);
	log_info("request %s: evaluation, %zu of %zu cases passed%s in %llu us", id,
		 count_passed(evaluation), evaluation->count,
		 evaluation->load.length ? ", the code did not load," : "",
		 (unsigned long long)(loop_now_us() - evaluation->call->started_us));
}

/* The sandboxes are killed before the answer leaves. */
static void on_finish(struct loop_timer *timer)
{
	struct evaluation *evaluation = LOOP_OWNER(timer, struct evaluation, finish);
	struct executor *executor = evaluation->executor;
	struct call *call = evaluation->call;
	enum refusal refusal = evaluation->refusal;
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = put_results(evaluation, &fields);

	log_end(evaluation);
	let_go(evaluation);
	call->cancel = NULL;
	if (refusal == REFUSAL_BUSY) {
		executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, refusal, "The service is busy: no sandbox became free.",
				 BUSY_RETRY_MS);
	} else if (refusal != REFUSAL_COUNT) {
		call_refuse_busy(call, refusal, "The sandbox could not be prepared.", BUSY_RETRY_MS);
	} else if (error) {
		req_refuse_internal(call, "render the results", error);
	} else {
		executor->counters[COUNTER_RUNS] += 1;
		call_finish(call, FRAME_REPLY, &fields);
	}
}

void evaluation_finish(struct evaluation *evaluation)
{
	if (loop_set_timer(evaluation->executor->loop, &evaluation->finish, loop_now_us(),
			   on_finish))
		log_error("no memory to finish an evaluation");
}

/* -- the beginning ---------------------------------------------------------------- */

/* What has not come to its end by now has not passed. */
static void on_deadline(struct loop_timer *timer)
{
	static const char message[] = "not judged: the whole evaluation took too long";
	struct evaluation *evaluation = LOOP_OWNER(timer, struct evaluation, deadline);

	for (size_t i = 0; i < evaluation->count; i++) {
		struct judged *judged = &evaluation->cases[i];

		if (judged->progress == CASE_DONE)
			continue;
		if (judged->progress == CASE_WAITS || judged->progress == CASE_RUNS)
			judged->outcome = (struct outcome){
				.status = STATUS_TIMEOUT,
				.reason = REASON_WALL_TIME,
				.limit = evaluation->executor->options.evaluation_ms
			};
		judged->verdict.length = 0;
		(void)fields_put_text(&judged->verdict, FIELD_MESSAGE, message);
	}
	evaluation_finish(evaluation);
}

static bool take_case(struct evaluation *evaluation, const struct field_view *list)
{
	struct judged *judged = &evaluation->cases[evaluation->count];
	bool call = fields_has(list->value, list->length, FIELD_CASE_INPUT) &&
		    fields_has(list->value, list->length, FIELD_CASE_OUTPUT);
	bool program = fields_has(list->value, list->length, FIELD_STDIN) &&
		       fields_has(list->value, list->length, FIELD_CASE_STDOUT);

	if (call == program || fields_check(list->value, list->length))
		return false;
	*judged = (struct judged){ .asked = *list,
				   .calls = call,
				   .exception = BUFFER_INIT(MAILBOX_REPORT_MAX),
				   .got = BUFFER_INIT(2 * MAILBOX_REPORT_MAX),
				   .printed = BUFFER_INIT(64 << 20),
				   .verdict = BUFFER_INIT(MAILBOX_REPORT_MAX) };
	evaluation->count++;
	return true;
}

static bool refuse_case(struct call *call, const char *message)
{
	call_refuse(call, REFUSAL_INVALID, FIELD_CASE, "%s", message);
	return false;
}

static bool req_cases(struct evaluation *evaluation, struct call *call)
{
	size_t most = evaluation->executor->options.evaluation_cases;
	struct field_view field;
	struct fields_reader reader;
	bool calls = false;

	evaluation->cases = calloc(most, sizeof *evaluation->cases);
	if (!evaluation->cases)
		return refuse_case(call, "there is no memory for them");
	fields_open(&reader, call->fields, call->length);
	while (fields_next(&reader, &field) == 1) {
		if (field.tag != FIELD_CASE)
			continue;
		if (evaluation->count == most)
			return refuse_case(call, "there are too many");
		if (!take_case(evaluation, &field))
			return refuse_case(call, "expected an input with an output, or a stdin "
						 "with a stdout");
		calls |= evaluation->cases[evaluation->count - 1].calls;
	}
	if (!calls || req_optional(call, FIELD_ENTRY_POINT).length)
		return true;
	call_refuse(call, REFUSAL_INVALID, FIELD_ENTRY_POINT,
		    "expected an expression that gives what is called");
	return false;
}

/* A session lends its profile and its limits; where a profile is named there need
 * not be one. */
static bool req_base(struct executor *executor, struct call *call,
		     const struct profile **ret_profile, const struct limits **ret_base)
{
	struct field_view id = req_optional(call, FIELD_SESSION_ID);
	struct session *session =
		id.length ? session_find(executor, (const char *)id.value, id.length) : NULL;

	if (id.length && !session && !req_optional(call, FIELD_PROFILE).length) {
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_SESSION_ID,
			    "There is no session of this id.");
		return false;
	}
	if (!session && !req_profile(call, ret_profile))
		return false;
	if (session)
		*ret_profile = session->profile;
	*ret_base = session ? &session->limits : &(*ret_profile)->limits;
	return true;
}

static void choose_display(struct evaluation *evaluation)
{
	size_t share = DISPLAY_SHARE_BYTES / TEXTS_A_CASE / (evaluation->count + 1);

	evaluation->display_bytes = share < DISPLAY_BYTES_LEAST ? DISPLAY_BYTES_LEAST :
				    share > DISPLAY_BYTES_MOST  ? DISPLAY_BYTES_MOST :
								  share;
}

static bool fill(struct evaluation *evaluation, struct call *call)
{
	struct executor *executor = evaluation->executor;
	const struct profile *profile;
	const struct limits *base;
	struct field_view code;

	if (!req_base(executor, call, &profile, &base) || !req_code(call, &code) ||
	    !req_limits(call, base, &evaluation->limits) || !req_cases(evaluation, call))
		return false;
	evaluation->flags = profile->readonly ? MAILBOX_READONLY : 0;
	evaluation->wants_files = fields_number(call->fields, call->length, FIELD_WANT_FILES, 0);
	evaluation->load = BUFFER_INIT(MAILBOX_REPORT_MAX);
	evaluation->refusal = REFUSAL_COUNT;
	choose_display(evaluation);
	return true;
}

void evaluate_handle(void *context, struct call *call)
{
	struct executor *executor = context;
	struct evaluation *evaluation = calloc(1, sizeof *evaluation);

	if (!evaluation) {
		req_refuse_internal(call, "remember the evaluation", -ENOMEM);
		return;
	}
	evaluation->executor = executor;
	evaluation->call = call;
	if (!fill(evaluation, call)) {
		let_go(evaluation);
		return;
	}
	call->context = evaluation;
	call->cancel = on_cancel;
	int error = loop_set_timer(executor->loop, &evaluation->deadline,
				   loop_now_us() + executor->options.evaluation_ms * 1000,
				   on_deadline);
	if (!error)
		error = verdicts_begin(&evaluation->verdicts, evaluation);
	if (error) {
		let_go(evaluation);
		call->cancel = NULL;
		req_refuse_internal(call, "begin the evaluation", error);
	}
}
