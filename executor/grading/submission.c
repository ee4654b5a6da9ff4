#include "executor/environments/environments.h"
#include "executor/grading/submission.h"

#include <stdlib.h>

#include "common/mailbox.h"
#include "executor/server/server.h"
#include "executor/session/session.h"

enum {
	/* All texts of all results must fit into one frame, with four a case. */
	DISPLAY_SHARE_BYTES = 6 << 20,
	DISPLAY_BYTES_LEAST = 256,
	DISPLAY_BYTES_MOST = 16 << 10,
	TEXTS_A_CASE = 4,
	/* Workers wait while so much has not been compared. */
	GOT_BYTES_MOST = 32 << 20,
	PRINTED_BYTES_MOST = 64 << 20, /* the output limit is below it */
};

/* -- in ----------------------------------------------------------------------------- */

static bool take_case(struct submission *submission, const struct field_view *list)
{
	struct judged *judged = &submission->cases[submission->count];
	bool call = fields_has(list->value, list->length, FIELD_CASE_INPUT) &&
		    fields_has(list->value, list->length, FIELD_CASE_OUTPUT);
	bool program = fields_has(list->value, list->length, FIELD_STDIN) &&
		       fields_has(list->value, list->length, FIELD_CASE_STDOUT);

	if (call == program || fields_check(list->value, list->length))
		return false;
	*judged = (struct judged){ .asked = *list,
				   .calls = call,
				   .arguments = BUFFER_INIT(MAILBOX_REPORT_MAX),
				   .exception = BUFFER_INIT(MAILBOX_REPORT_MAX),
				   .got = BUFFER_INIT(2 * MAILBOX_REPORT_MAX),
				   .printed = BUFFER_INIT(PRINTED_BYTES_MOST),
				   .verdict = BUFFER_INIT(MAILBOX_REPORT_MAX) };
	submission->count++;
	return true;
}

static bool refuse_case(struct call *call, const char *message)
{
	call_refuse(call, REFUSAL_INVALID, FIELD_CASE, "%s", message);
	return false;
}

static bool read_cases(struct submission *submission)
{
	struct call *call = submission->call;
	size_t most = submission->executor->options.evaluation_cases;
	struct field_view field;
	struct fields_reader reader;
	bool calls = false;

	submission->cases = calloc(most, sizeof *submission->cases);
	if (!submission->cases)
		return refuse_case(call, "there is no memory for them");
	fields_open(&reader, call->fields, call->length);
	while (fields_next(&reader, &field) == 1) {
		if (field.tag != FIELD_CASE)
			continue;
		if (submission->count == most)
			return refuse_case(call, "there are too many");
		if (!take_case(submission, &field))
			return refuse_case(call, "expected an input with an output, or a stdin "
						 "with a stdout");
		calls |= submission->cases[submission->count - 1].calls;
	}
	if (!calls || req_optional(call, FIELD_ENTRY_POINT).length)
		return true;
	call_refuse(call, REFUSAL_INVALID, FIELD_ENTRY_POINT,
		    "expected an expression that gives what is called");
	return false;
}

static bool hold_environment(struct call *call, struct environment *environment,
			     struct environment **ret_environment)
{
	int error = environment_hold(environment);

	if (error)
		req_refuse_internal(call, "start the environment", error);
	else
		*ret_environment = environment;
	return !error;
}

/* A session lends its profile, its limits and its environment; where a profile is named there need
 * not be one. */
static bool read_base(struct executor *executor, struct call *call,
		      const struct profile **ret_profile, struct environment **ret_environment,
		      struct limits *ret_base)
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
		*ret_profile = session_profile(session);
	if (session && !fields_has(call->fields, call->length, FIELD_ENVIRONMENT)) {
		*ret_base = *session_limits_of(session);
		return hold_environment(call, session_environment(session), ret_environment);
	}
	if (!req_held_environment(call, executor->environments, *ret_profile, ret_environment))
		return false;
	*ret_base = session ? *session_limits_of(session)
			    : environment_limits(*ret_environment, &(*ret_profile)->limits);
	return true;
}

static size_t choose_display_bytes(size_t count)
{
	size_t share = DISPLAY_SHARE_BYTES / TEXTS_A_CASE / (count + 1);

	if (share < DISPLAY_BYTES_LEAST)
		return DISPLAY_BYTES_LEAST;
	return share < DISPLAY_BYTES_MOST ? share : DISPLAY_BYTES_MOST;
}

bool submission_read(struct submission *submission, struct executor *executor, struct call *call)
{
	const struct profile *profile;
	struct limits base;
	struct field_view code;

	*submission = (struct submission){ .executor = executor,
					   .call = call,
					   .load = BUFFER_INIT(MAILBOX_REPORT_MAX) };
	if (!read_base(executor, call, &profile, &submission->environment, &base) ||
	    !req_code(call, &code) || !req_limits(call, &base, &submission->limits) ||
	    !read_cases(submission))
		return false;
	submission->flags = profile->readonly ? MAILBOX_READONLY : 0;
	submission->wants_files = fields_number(call->fields, call->length, FIELD_WANT_FILES, 0);
	submission->put_bytes = fields_number(call->fields, call->length, FIELD_PUT_BYTES, 0);
	submission->display_bytes = choose_display_bytes(submission->count);
	return true;
}

void submission_reset(struct submission *submission)
{
	for (size_t i = 0; i < submission->count; i++) {
		struct judged *judged = &submission->cases[i];

		buffer_reset(&judged->arguments);
		buffer_reset(&judged->exception);
		buffer_reset(&judged->got);
		buffer_reset(&judged->printed);
		buffer_reset(&judged->verdict);
	}
	buffer_reset(&submission->load);
	free(submission->cases);
	submission->cases = NULL;
	submission->count = 0;
}

/* -- while it is judged --------------------------------------------------------------- */

static struct judged *find_waiting(struct submission *submission, bool calls)
{
	for (size_t i = 0; i < submission->count; i++) {
		struct judged *judged = &submission->cases[i];

		if (judged->progress == CASE_WAITS && judged->calls == calls)
			return judged;
	}
	return NULL;
}

bool submission_is_full(const struct submission *submission)
{
	return submission->got_bytes > GOT_BYTES_MOST;
}

struct judged *submission_take(struct submission *submission, bool loaded)
{
	struct judged *judged = loaded ? NULL : find_waiting(submission, false);

	if (submission_is_full(submission))
		return NULL;
	if (!judged)
		judged = find_waiting(submission, true);
	if (judged)
		judged->progress = CASE_RUNS;
	return judged;
}

void submission_case_ran(struct submission *submission, struct judged *judged)
{
	if (judged->calls) /* it is for show alone */
		buffer_shorten(&judged->printed, submission->display_bytes);
	judged->progress = CASE_RAN;
	submission->got_bytes += judged->got.length + judged->printed.length;
}

void submission_case_done(struct submission *submission, struct judged *judged)
{
	judged->progress = CASE_DONE;
	submission->got_bytes -= judged->got.length + judged->printed.length;
	buffer_reset(&judged->arguments);
	buffer_reset(&judged->got);
	buffer_shorten(&judged->printed, submission->display_bytes);
}

void submission_out_of_time(struct submission *submission)
{
	static const char message[] = "not judged: the whole evaluation took too long";

	for (size_t i = 0; i < submission->count; i++) {
		struct judged *judged = &submission->cases[i];

		if (judged->progress == CASE_DONE)
			continue;
		if (judged->progress == CASE_WAITS || judged->progress == CASE_RUNS)
			judged->outcome = (struct outcome){
				.status = STATUS_TIMEOUT,
				.reason = REASON_WALL_TIME,
				.limit = submission->executor->options.evaluation_ms
			};
		judged->verdict.length = 0;
		(void)fields_put_text(&judged->verdict, FIELD_MESSAGE, message);
	}
}

int submission_load_failed(struct submission *submission, const struct outcome *outcome)
{
	return submission->load.length ? 0 : outcome_put(outcome, &submission->load);
}

size_t submission_waiting(const struct submission *submission)
{
	size_t waiting = 0;

	for (size_t i = 0; i < submission->count; i++)
		waiting += submission->cases[i].progress == CASE_WAITS;
	return waiting;
}

bool submission_has_begun(const struct submission *submission)
{
	for (size_t i = 0; i < submission->count; i++)
		if (submission->cases[i].progress >= CASE_RAN)
			return true;
	return submission->has_loaded;
}

/* Without cases it is the code alone that is looked at. */
bool submission_is_done(const struct submission *submission)
{
	for (size_t i = 0; i < submission->count; i++)
		if (submission->cases[i].progress != CASE_DONE)
			return false;
	return submission->count || submission->has_loaded;
}

struct field_view judged_field(const struct judged *judged, unsigned tag)
{
	struct field_view field = { .tag = tag, .value = (const uint8_t *)"" };

	(void)fields_find(judged->asked.value, judged->asked.length, tag, &field);
	return field;
}

/* -- out ------------------------------------------------------------------------------ */

static bool has_passed(const struct judged *judged)
{
	return fields_number(judged->verdict.data, judged->verdict.length, FIELD_PASSED, 0) == 1;
}

size_t submission_passed(const struct submission *submission)
{
	size_t passed = 0;

	for (size_t i = 0; i < submission->count; i++)
		passed += has_passed(&submission->cases[i]);
	return passed;
}

static int put_result(const struct submission *submission, struct judged *judged,
		      struct buffer *fields)
{
	AUTO_BUFFER one = BUFFER_INIT(FRAME_FINAL_MAX);
	size_t printed = judged->printed.length;
	int error = fields_put_number(&one, FIELD_INDEX, (uint64_t)(judged - submission->cases));

	if (printed > submission->display_bytes)
		printed = submission->display_bytes;
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

int submission_put_results(struct submission *submission, struct buffer *fields)
{
	int error = 0;

	if (submission->load.length)
		return fields_put_bytes(fields, FIELD_LOAD, submission->load.data,
					submission->load.length);
	for (size_t i = 0; !error && i < submission->count; i++)
		error = put_result(submission, &submission->cases[i], fields);
	return error;
}
