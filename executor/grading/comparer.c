#include "executor/grading/comparer.h"

#include "common/log.h"
#include "common/mailbox.h"

enum {
	BATCH_WALL_MS = 10000, /* expected outputs are expressions */
	PAYLOAD_MAX = MAILBOX_PAYLOAD_MAX - 1024,
	INPUT_BYTES_MAX = 16 << 10, /* a larger one is read by its case alone */
};

typedef enum comparer_state comparer_action(struct comparer *comparer, const void *detail);

bool comparer_has_prepared(const struct comparer *comparer)
{
	return comparer->prepared == comparer->submission->count;
}

/* -- what is due -------------------------------------------------------------------- */

static bool is_due(const struct comparer *comparer, const struct judged *judged)
{
	return comparer_has_prepared(comparer)
		       ? judged->progress == CASE_RAN
		       : judged >= &comparer->submission->cases[comparer->prepared];
}

static void copy_field(const struct field_view *from, unsigned tag, struct buffer *list)
{
	struct field_view field;

	if (fields_find(from->value, from->length, tag, &field) == 1)
		(void)fields_put_bytes(list, tag, field.value, field.length);
}

/* One case as its job needs it; -EMSGSIZE if it is too much for one. */
static int put_case(const struct comparer *comparer, const struct judged *judged,
		    struct buffer *payload)
{
	AUTO_BUFFER one = BUFFER_INIT(MAILBOX_PAYLOAD_MAX);
	bool compares = judged->progress == CASE_RAN;
	int error = fields_put_number(&one, FIELD_INDEX,
				      (uint64_t)(judged - comparer->submission->cases));

	if (!judged->calls)
		copy_field(&judged->asked, FIELD_CASE_STDOUT, &one);
	else if (!fields_has(judged->got.data, judged->got.length, FIELD_EXPECTED_DATA))
		copy_field(&judged->asked, FIELD_CASE_OUTPUT, &one);
	if (judged->calls && !compares &&
	    judged_field(judged, FIELD_CASE_INPUT).length <= INPUT_BYTES_MAX)
		copy_field(&judged->asked, FIELD_CASE_INPUT, &one);
	copy_field(&judged->asked, FIELD_TOLERANCE, &one);
	if (!error && compares && judged->got.length)
		error = buffer_append(&one, judged->got.data, judged->got.length);
	if (!error && compares && !judged->calls)
		error = fields_put_bytes(&one, FIELD_CONTENT, judged->printed.data,
					 judged->printed.length);
	return error ? error : fields_put_bytes(payload, FIELD_CASE, one.data, one.length);
}

/* As many cases as are due and fit. One that alone is too much leaves the payload empty,
 * and the job fails. */
static void fill_batch(struct comparer *comparer, struct buffer *payload)
{
	struct submission *submission = comparer->submission;

	comparer->batch_length = 0;
	for (size_t i = 0; i < submission->count; i++) {
		struct judged *judged = &submission->cases[i];

		if (comparer->batch_length == comparer->batch_most)
			return;
		if (!is_due(comparer, judged))
			continue;
		if (put_case(comparer, judged, payload)) {
			if (comparer->batch_length)
				return;
			payload->length = 0;
		}
		comparer->batch[comparer->batch_length++] = judged;
		if (!payload->length)
			return;
	}
}

/* -- what a job says -------------------------------------------------------------- */

static void on_prepared_case(struct judged *judged, const struct field_view *result)
{
	judged->needs_names =
		judged->calls && fields_number(result->value, result->length, FIELD_NEEDS_NAMES, 0);
	copy_field(result, FIELD_ARGUMENTS, &judged->arguments);
	copy_field(result, FIELD_MESSAGE, &judged->verdict);
}

/* A case passes if it ended well, and the comparison says so. */
static void on_compared_case(struct judged *judged, const struct field_view *result)
{
	static const unsigned texts[] = { FIELD_GOT, FIELD_EXPECTED, FIELD_MESSAGE };
	bool ended_well = judged->outcome.status == STATUS_SUCCESS;
	uint64_t passed = fields_number(result->value, result->length, FIELD_PASSED, 0);

	judged->verdict.length = 0;
	(void)fields_put_number(&judged->verdict, FIELD_PASSED, ended_well && passed == 1);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i] == FIELD_EXPECTED || !judged->calls || ended_well)
			copy_field(result, texts[i], &judged->verdict);
	judged->progress = CASE_IS_COMPARED;
}

/* The results are in the order of the batch, one each. False: they are not. */
static bool take_results(struct comparer *comparer, const struct outcome *outcome, bool compares)
{
	struct fields_reader reader;
	struct field_view field;
	size_t taken = 0;

	fields_open(&reader, outcome->report, outcome->report_length);
	while (taken < comparer->batch_length && fields_next(&reader, &field) == 1) {
		if (field.tag != FIELD_CASE_RESULT)
			continue;
		if (compares)
			on_compared_case(comparer->batch[taken++], &field);
		else
			on_prepared_case(comparer->batch[taken++], &field);
	}
	return taken == comparer->batch_length;
}

/* One case that cannot be compared is not to take others along: several are tried one by
 * one, a single one is given up. */
static void fail_batch(struct comparer *comparer, bool compares)
{
	static const char message[] = "the expected and the actual output could not be compared";
	struct judged *judged = comparer->batch[0];

	if (comparer->batch_length > 1) {
		comparer->batch_most = 1;
		return;
	}
	judged->verdict.length = 0;
	(void)fields_put_text(&judged->verdict, FIELD_MESSAGE, message);
	if (compares)
		judged->progress = CASE_IS_COMPARED;
	else
		comparer->prepared++;
}

/* Cases that have been compared are done. */
static void release_batch(struct comparer *comparer)
{
	for (size_t i = 0; i < comparer->batch_length; i++)
		if (comparer->batch[i]->progress == CASE_IS_COMPARED)
			submission_case_done(comparer->submission, comparer->batch[i]);
	comparer->batch_length = 0;
}

/* -- its sandbox ------------------------------------------------------------------ */

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	comparer_handle(LOOP_OWNER(waiter, struct comparer, waiter), COMPARER_GRANTED, sandbox);
}

static void on_expired(struct waiter *waiter)
{
	comparer_handle(LOOP_OWNER(waiter, struct comparer, waiter), COMPARER_EXPIRED, NULL);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	(void)sandbox;
	comparer_handle(context, COMPARER_LOST, NULL);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)sandbox;
	(void)status;
	comparer_handle(context, COMPARER_LOST, NULL);
}

static void own_sandbox(struct comparer *comparer)
{
	sandbox_set_owner(comparer->sandbox, &(struct sandbox_owner){ .died = on_died,
								      .failed = on_failed,
								      .context = comparer });
}

static void drop_sandbox(struct comparer *comparer)
{
	run_free(comparer->run);
	comparer->run = NULL;
	if (comparer->sandbox)
		sandbox_kill(comparer->sandbox);
	comparer->sandbox = NULL;
}

/* It takes no running place: who has all places must not wait for who waits for
 * one. There are never more of them than evaluations. It may be granted before
 * admission_enter() returns: then the state is that one's. */
static enum comparer_state get_sandbox(struct comparer *comparer, const void *detail)
{
	(void)detail;
	comparer->state = COMPARER_WAITS;
	comparer->waiter = (struct waiter){ .pool = environment_pool(environments_base(
						    comparer->submission->executor->environments)),
					    .granted = on_granted,
					    .expired = on_expired };
	if (!admission_enter(comparer->submission->executor->admission, &comparer->waiter))
		return comparer->state;
	comparer->news = COMPARER_REFUSED;
	return COMPARER_CLOSED;
}

static enum comparer_state renew(struct comparer *comparer, const void *detail)
{
	drop_sandbox(comparer);
	return get_sandbox(comparer, detail);
}

/* -- jobs -------------------------------------------------------------------------- */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	(void)context;
	(void)stream;
	(void)bytes;
	(void)length;
}

static void on_finished(void *context, const struct outcome *outcome)
{
	comparer_handle(context, COMPARER_ENDED, outcome);
}

static int begin_job(struct comparer *comparer, enum job_kind kind, const struct buffer *payload)
{
	const struct executor *executor = comparer->submission->executor;
	struct limits limits = comparer->submission->limits;

	limits.wall_ms = limits.cpu_ms = BATCH_WALL_MS;
	return run_begin(&(struct run_config){ .loop = executor->loop,
					       .sandbox = comparer->sandbox,
					       .limits = limits,
					       .cpu_percent = executor->options.cpu_percent,
					       .job = { .kind = kind,
							.execution = 1,
							.payload = payload->data,
							.payload_length = payload->length },
					       .owner = { .output = on_output,
							  .finished = on_finished,
							  .context = comparer } },
			 &comparer->run);
}

/* Begin with what is due. */
static enum comparer_state next_batch(struct comparer *comparer, const void *detail)
{
	AUTO_BUFFER payload = BUFFER_INIT(PAYLOAD_MAX);
	bool compares = comparer_has_prepared(comparer);

	(void)detail;
	if (fields_put_number(&payload, FIELD_SIZE_BYTES, comparer->submission->display_bytes))
		return COMPARER_RESTS;
	fill_batch(comparer, &payload);
	if (!comparer->batch_length)
		return COMPARER_RESTS;
	if (!begin_job(comparer, compares ? JOB_COMPARE : JOB_PREPARE, &payload))
		return compares ? COMPARER_COMPARES : COMPARER_PREPARES;
	fail_batch(comparer, compares);
	release_batch(comparer);
	comparer->news = COMPARER_CHANGED;
	return renew(comparer, NULL);
}

/* -- actions ------------------------------------------------------------------------ */

static enum comparer_state take_sandbox(struct comparer *comparer, const void *detail)
{
	comparer->sandbox = (struct sandbox *)(uintptr_t)detail;
	own_sandbox(comparer);
	return next_batch(comparer, NULL);
}

static enum comparer_state give_up(struct comparer *comparer, const void *detail)
{
	(void)detail;
	comparer->news = COMPARER_REFUSED;
	return COMPARER_CLOSED;
}

/* It looks for itself when it has done what it is at. */
static enum comparer_state go_on(struct comparer *comparer, const void *detail)
{
	(void)detail;
	return comparer->state;
}

static enum comparer_state end_batch(struct comparer *comparer, const void *detail)
{
	const struct outcome *outcome = detail;
	bool compares = comparer->state == COMPARER_COMPARES;
	bool good = outcome->status == STATUS_SUCCESS && sandbox_is_idle(comparer->sandbox) &&
		    take_results(comparer, outcome, compares);

	if (good && !compares)
		comparer->prepared += comparer->batch_length;
	else if (!good)
		fail_batch(comparer, compares);
	release_batch(comparer);
	comparer->news = COMPARER_CHANGED;
	if (!good)
		return renew(comparer, NULL);
	run_free(comparer->run);
	comparer->run = NULL;
	own_sandbox(comparer);
	return next_batch(comparer, NULL);
}

static enum comparer_state shut(struct comparer *comparer, const void *detail)
{
	(void)detail;
	admission_withdraw(comparer->submission->executor->admission, &comparer->waiter);
	drop_sandbox(comparer);
	comparer->batch_length = 0;
	return COMPARER_CLOSED;
}

/* -- the machine ---------------------------------------------------------------------- */

/* What is not here cannot happen. */
static comparer_action *const actions[COMPARER_STATES][COMPARER_EVENTS] = {
	[COMPARER_CLOSED] = { [COMPARER_OPEN] = get_sandbox, [COMPARER_CLOSE] = shut },
	[COMPARER_WAITS] = { [COMPARER_GRANTED] = take_sandbox,
			     [COMPARER_EXPIRED] = give_up,
			     [COMPARER_WORK] = go_on,
			     [COMPARER_CLOSE] = shut },
	[COMPARER_RESTS] = { [COMPARER_WORK] = next_batch,
			     [COMPARER_LOST] = renew,
			     [COMPARER_CLOSE] = shut },
	[COMPARER_PREPARES] = { [COMPARER_ENDED] = end_batch, [COMPARER_CLOSE] = shut },
	[COMPARER_COMPARES] = { [COMPARER_WORK] = go_on,
				[COMPARER_ENDED] = end_batch,
				[COMPARER_CLOSE] = shut },
};

static const char *const state_names[COMPARER_STATES] = {
	[COMPARER_CLOSED] = "is closed",  [COMPARER_WAITS] = "waits",
	[COMPARER_RESTS] = "rests",       [COMPARER_PREPARES] = "prepares",
	[COMPARER_COMPARES] = "compares",
};

static const char *const event_names[COMPARER_EVENTS] = {
	[COMPARER_OPEN] = "open",   [COMPARER_GRANTED] = "granted", [COMPARER_EXPIRED] = "expired",
	[COMPARER_WORK] = "work",   [COMPARER_ENDED] = "ended",     [COMPARER_LOST] = "lost",
	[COMPARER_CLOSE] = "close",
};

static enum comparer_state impossible(struct comparer *comparer, enum comparer_event event)
{
	log_error("evaluation: a comparer that %s cannot be told \"%s\": its sandbox ends",
		  state_names[comparer->state], event_names[event]);
	comparer->news = COMPARER_REFUSED;
	return shut(comparer, NULL);
}

void comparer_handle(struct comparer *comparer, enum comparer_event event, const void *detail)
{
	comparer_action *action = actions[comparer->state][event];

	comparer->state = action ? action(comparer, detail) : impossible(comparer, event);
	enum comparer_news news = comparer->news;
	comparer->news = COMPARER_NO_NEWS;
	if (news != COMPARER_NO_NEWS) /* last: the evaluation may close it now */
		comparer->owner.news(comparer->owner.context, news);
}

void comparer_init(struct comparer *comparer, struct submission *submission,
		   const struct comparer_owner *owner)
{
	*comparer = (struct comparer){ .submission = submission,
				       .owner = *owner,
				       .batch_most = COMPARER_BATCH_MAX };
}
