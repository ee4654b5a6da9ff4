/* Verdicts: in a sandbox that never runs the submission, Python looks at the
 * outputs that are expected and compares them with what came out of the workers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/grading/evaluation.h"

enum {
	VERDICT_WALL_MS = 10000, /* of one batch; expected outputs are expressions */
	BATCH_MAX = 64,
	FIELDS_SLACK = 1024,
};

static void own_sandbox(struct verdicts *verdicts);
static void renew(struct verdicts *verdicts);

/* -- a batch ---------------------------------------------------------------------- */

static bool is_due(const struct verdicts *verdicts, const struct judged *judged)
{
	bool all_prepared = verdicts->prepared == verdicts->evaluation->count;

	return all_prepared ? judged->progress == CASE_RAN :
			      judged >= &verdicts->evaluation->cases[verdicts->prepared];
}

static void put_asked(struct buffer *list, const struct judged *judged, unsigned tag)
{
	struct field_view field;

	if (fields_find(judged->asked.value, judged->asked.length, tag, &field) == 1)
		(void)fields_put_bytes(list, tag, field.value, field.length);
}

/* One case as its job needs it; -EMSGSIZE if it is too much for one. */
static int put_case(const struct verdicts *verdicts, const struct judged *judged,
		    struct buffer *payload)
{
	AUTO_BUFFER one = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	bool compares = judged->progress == CASE_RAN;
	int error = fields_put_number(&one, FIELD_INDEX,
				      (uint64_t)(judged - verdicts->evaluation->cases));

	if (!judged->calls)
		put_asked(&one, judged, FIELD_CASE_STDOUT);
	else if (!fields_has(judged->got.data, judged->got.length, FIELD_EXPECTED_DATA))
		put_asked(&one, judged, FIELD_CASE_OUTPUT);
	put_asked(&one, judged, FIELD_TOLERANCE);
	if (!error && compares && judged->got.length)
		error = buffer_append(&one, judged->got.data, judged->got.length);
	if (!error && compares && !judged->calls)
		error = fields_put_bytes(&one, FIELD_CONTENT, judged->printed.data,
					 judged->printed.length);
	return error ? error : fields_put_bytes(payload, FIELD_CASE, one.data, one.length);
}

/* As many cases as are due and fit. A single one that does not fit is left to be
 * found in an empty batch. */
static void fill_batch(struct verdicts *verdicts, struct buffer *payload)
{
	struct evaluation *evaluation = verdicts->evaluation;

	verdicts->batch_length = 0;
	for (size_t i = 0; i < evaluation->count; i++) {
		struct judged *judged = &evaluation->cases[i];

		if (verdicts->batch_length == verdicts->batch_most)
			return;
		if (!is_due(verdicts, judged))
			continue;
		if (put_case(verdicts, judged, payload)) {
			if (verdicts->batch_length)
				return;
			payload->length = 0; /* alone it is too much: an empty job fails it */
		}
		verdicts->batch[verdicts->batch_length++] = judged;
		if (!payload->length)
			return;
	}
}

/* -- what a job says -------------------------------------------------------------- */

static void on_prepared_case(struct judged *judged, const struct field_view *result)
{
	struct field_view message;

	judged->needs_names =
		judged->calls && fields_number(result->value, result->length, FIELD_NEEDS_NAMES, 0);
	if (fields_find(result->value, result->length, FIELD_MESSAGE, &message) == 1)
		(void)fields_put_bytes(&judged->verdict, FIELD_MESSAGE, message.value,
				       message.length);
}

/* A case passes if it ended well, and the comparison says so. */
static void on_compared_case(struct judged *judged, const struct field_view *result)
{
	static const unsigned texts[] = { FIELD_GOT, FIELD_EXPECTED, FIELD_MESSAGE };
	bool ended_well = judged->outcome.status == STATUS_SUCCESS;
	uint64_t passed = fields_number(result->value, result->length, FIELD_PASSED, 0);

	judged->verdict.length = 0;
	(void)fields_put_number(&judged->verdict, FIELD_PASSED, ended_well && passed == 1);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct field_view text;

		if (texts[i] != FIELD_EXPECTED && judged->calls && !ended_well)
			continue;
		if (fields_find(result->value, result->length, texts[i], &text) == 1)
			(void)fields_put_bytes(&judged->verdict, texts[i], text.value, text.length);
	}
	judged->progress = CASE_IS_COMPARED;
}

/* The results are in the order of the batch, one each. False: they are not. */
static bool take_results(struct verdicts *verdicts, const struct outcome *outcome, bool compares)
{
	struct fields_reader reader;
	struct field_view field;
	size_t taken = 0;

	fields_open(&reader, outcome->report, outcome->report_length);
	while (taken < verdicts->batch_length && fields_next(&reader, &field) == 1) {
		if (field.tag != FIELD_CASE_RESULT)
			continue;
		if (compares)
			on_compared_case(verdicts->batch[taken++], &field);
		else
			on_prepared_case(verdicts->batch[taken++], &field);
	}
	return taken == verdicts->batch_length;
}

/* One case that cannot be compared is not to take others along. */
static void on_failed_batch(struct verdicts *verdicts, bool compares)
{
	static const char message[] = "the expected and the actual output could not be compared";
	struct judged *judged = verdicts->batch[0];

	if (verdicts->batch_length > 1) {
		verdicts->batch_most = 1;
		return;
	}
	judged->verdict.length = 0;
	(void)fields_put_text(&judged->verdict, FIELD_MESSAGE, message);
	if (compares)
		judged->progress = CASE_IS_COMPARED;
	else
		verdicts->prepared++;
}

static void release_batch(struct verdicts *verdicts)
{
	struct evaluation *evaluation = verdicts->evaluation;

	for (size_t i = 0; i < verdicts->batch_length; i++) {
		struct judged *judged = verdicts->batch[i];

		if (judged->progress != CASE_IS_COMPARED)
			continue;
		judged->progress = CASE_DONE;
		evaluation->got_bytes -= judged->got.length + judged->printed.length;
		buffer_reset(&judged->got);
		buffer_shorten(&judged->printed, evaluation->display_bytes);
	}
	verdicts->batch_length = 0;
}

static void on_finished(void *context, const struct outcome *outcome)
{
	struct verdicts *verdicts = context;
	struct evaluation *evaluation = verdicts->evaluation;
	bool compares = verdicts->prepared == evaluation->count;
	bool good = outcome->status == STATUS_SUCCESS && sandbox_is_idle(verdicts->sandbox) &&
		    take_results(verdicts, outcome, compares);

	if (good && !compares)
		verdicts->prepared += verdicts->batch_length;
	else if (!good)
		on_failed_batch(verdicts, compares);
	release_batch(verdicts);
	run_free(verdicts->run);
	verdicts->run = NULL;
	if (good)
		own_sandbox(verdicts);
	else
		renew(verdicts);
	if (!compares && verdicts->prepared == evaluation->count)
		evaluation_prepared(evaluation);
	else
		verdicts_go_on(verdicts);
	evaluation_go_on(evaluation);
}

/* -- its sandbox ------------------------------------------------------------------ */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	(void)context;
	(void)stream;
	(void)bytes;
	(void)length;
}

static int begin_job(struct verdicts *verdicts, const struct buffer *payload)
{
	struct evaluation *evaluation = verdicts->evaluation;
	struct limits limits = evaluation->limits;

	limits.wall_ms = limits.cpu_ms = VERDICT_WALL_MS;
	return run_begin(
		&(struct run_config){
			.loop = evaluation->executor->loop,
			.sandbox = verdicts->sandbox,
			.limits = limits,
			.cpu_percent = evaluation->executor->options.cpu_percent,
			.job = { .kind = verdicts->prepared == evaluation->count ? JOB_COMPARE :
										  JOB_PREPARE,
				 .execution = 1,
				 .payload = payload->data,
				 .payload_length = payload->length },
			.owner = { .output = on_output,
				   .finished = on_finished,
				   .context = verdicts } },
		&verdicts->run);
}

void verdicts_go_on(struct verdicts *verdicts)
{
	AUTO_BUFFER payload = BUFFER_INIT(MAILBOX_PAYLOAD_MAX - FIELDS_SLACK);
	struct evaluation *evaluation = verdicts->evaluation;

	if (!verdicts->sandbox || verdicts->run)
		return;
	if (fields_put_number(&payload, FIELD_SIZE_BYTES, evaluation->display_bytes))
		return;
	fill_batch(verdicts, &payload);
	if (!verdicts->batch_length)
		return;
	if (begin_job(verdicts, &payload)) {
		on_failed_batch(verdicts, verdicts->prepared == evaluation->count);
		release_batch(verdicts);
		renew(verdicts);
		evaluation_go_on(evaluation);
	}
}

static void on_lost(void *context, struct sandbox *sandbox)
{
	(void)sandbox;
	renew(context);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)sandbox;
	(void)status;
	renew(context);
}

static void own_sandbox(struct verdicts *verdicts)
{
	sandbox_set_owner(verdicts->sandbox, &(struct sandbox_owner){ .died = on_died,
								      .failed = on_lost,
								      .context = verdicts });
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct verdicts *verdicts = LOOP_OWNER(waiter, struct verdicts, waiter);

	verdicts->sandbox = sandbox;
	own_sandbox(verdicts);
	if (verdicts->evaluation->count)
		verdicts_go_on(verdicts);
	else
		evaluation_prepared(verdicts->evaluation);
}

static void on_expired(struct waiter *waiter)
{
	struct verdicts *verdicts = LOOP_OWNER(waiter, struct verdicts, waiter);

	evaluation_refused(verdicts->evaluation, REFUSAL_BUSY);
}

/* It takes no running place: who has all places must not wait for who waits for
 * one. There are never more of them than evaluations. */
static void get_sandbox(struct verdicts *verdicts)
{
	verdicts->waiter = (struct waiter){ .needs_sandbox = true,
					    .granted = on_granted,
					    .expired = on_expired };
	if (admission_enter(verdicts->evaluation->executor->admission, &verdicts->waiter))
		on_expired(&verdicts->waiter);
}

static void drop_sandbox(struct verdicts *verdicts)
{
	run_free(verdicts->run);
	verdicts->run = NULL;
	if (verdicts->sandbox)
		sandbox_kill(verdicts->sandbox);
	verdicts->sandbox = NULL;
}

static void renew(struct verdicts *verdicts)
{
	drop_sandbox(verdicts);
	get_sandbox(verdicts);
}

int verdicts_begin(struct verdicts *verdicts, struct evaluation *evaluation)
{
	verdicts->evaluation = evaluation;
	verdicts->batch_most = BATCH_MAX;
	verdicts->batch = calloc(BATCH_MAX, sizeof(struct judged *));
	if (!verdicts->batch)
		return -ENOMEM;
	get_sandbox(verdicts);
	return 0;
}

void verdicts_close(struct verdicts *verdicts)
{
	if (!verdicts->evaluation)
		return;
	admission_withdraw(verdicts->evaluation->executor->admission, &verdicts->waiter);
	drop_sandbox(verdicts);
	free(verdicts->batch);
	verdicts->batch = NULL;
}
