#include "executor/grading/comparer_batch.h"

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

static void put_asked(struct buffer *list, const struct judged *judged, unsigned tag)
{
	struct field_view field;

	if (fields_find(judged->asked.value, judged->asked.length, tag, &field) == 1)
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
void comparer_batch_fill(struct comparer *comparer, struct buffer *payload)
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
			payload->length = 0; /* alone it is too much: an empty job fails it */
		}
		comparer->batch[comparer->batch_length++] = judged;
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
bool comparer_batch_take(struct comparer *comparer, const struct outcome *outcome, bool compares)
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

/* One case that cannot be compared is not to take others along. */
void comparer_batch_failed(struct comparer *comparer, bool compares)
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

void comparer_batch_release(struct comparer *comparer)
{
	for (size_t i = 0; i < comparer->batch_length; i++)
		if (comparer->batch[i]->progress == CASE_IS_COMPARED)
			submission_case_done(comparer->submission, comparer->batch[i]);
	comparer->batch_length = 0;
}
