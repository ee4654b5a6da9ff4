/* What the executor says about a run; half of it is hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/execution/execution.h"

static int read_list(const struct buffer *list, struct outcome *ret_outcome)
{
	struct executor_answer answer = { .type = FRAME_OUTCOME, .payload = *list, .fd = -1 };

	return outcome_read(&answer, ret_outcome);
}

static void test_all_numbers(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct outcome outcome;

	(void)state;
	fields_put_number(&list, FIELD_STATUS, STATUS_FAILED);
	fields_put_number(&list, FIELD_REASON, REASON_CRASH);
	fields_put_number(&list, FIELD_STATE, STATE_RESTORED);
	fields_put_number(&list, FIELD_RETURN_CODE, (uint64_t)-11);
	fields_put_number(&list, FIELD_SIGNAL, 11);
	fields_put_number(&list, FIELD_WALL_US, 7);
	fields_put_number(&list, FIELD_STDOUT_TRUNCATED, 1);
	fields_put_text(&list, FIELD_NOTE, "as before");
	assert_int_equal(read_list(&list, &outcome), 0);
	assert_int_equal(outcome.status, STATUS_FAILED);
	assert_int_equal(outcome.return_code, -11);
	assert_int_equal(outcome.state, STATE_RESTORED);
	assert_true(outcome.stdout_truncated && !outcome.stderr_truncated);
	assert_true(text_equals(outcome.note, "as before"));
	assert_non_null(outcome.out.data); /* empty, not absent */
}

static void test_unknown_words_are_refused(void **state)
{
	static const enum field closed[] = { FIELD_STATUS, FIELD_REASON, FIELD_STATE };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		AUTO_BUFFER list = BUFFER_INIT(0);
		struct outcome outcome;

		fields_put_number(&list, FIELD_STATUS, STATUS_SUCCESS);
		fields_put_number(&list, closed[i], 4000000000u);
		assert_int_equal(read_list(&list, &outcome), -EBADMSG);
	}
}

static void test_a_status_must_be_there(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct outcome outcome;

	(void)state;
	fields_put_number(&list, FIELD_REASON, REASON_NONE);
	assert_int_equal(read_list(&list, &outcome), -EBADMSG);
}

static void test_report(void **state)
{
	AUTO_BUFFER report = BUFFER_INIT(0);
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct outcome outcome;

	(void)state;
	fields_put_bytes(&report, FIELD_RESULT, "4\xff", 2);
	fields_put_bytes(&report, FIELD_RESULT, "second", 6);
	fields_put_number(&report, FIELD_EXCEPTION_LINE, 3);
	fields_put_number(&report, FIELD_STATUS, STATUS_SUCCESS); /* not its to say */
	fields_put_number(&list, FIELD_STATUS, STATUS_TIMEOUT);
	fields_put_bytes(&list, FIELD_REPORT, report.data, report.length);
	assert_int_equal(read_list(&list, &outcome), 0);
	assert_int_equal(outcome.status, STATUS_TIMEOUT);
	assert_int_equal(outcome.report.result.length, 2);
	assert_true(outcome.report.has_line);
	assert_int_equal(outcome.report.exception_line, 3);
}

static void test_a_broken_report_is_empty(void **state)
{
	AUTO_BUFFER report = BUFFER_INIT(0);
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct outcome outcome;

	(void)state;
	fields_put_bytes(&report, FIELD_RESULT, "x", 1);
	fields_put_number(&list, FIELD_STATUS, STATUS_SUCCESS);
	fields_put_bytes(&list, FIELD_REPORT, report.data, report.length - 1);
	assert_int_equal(read_list(&list, &outcome), 0);
	assert_null(outcome.report.result.data);
	assert_null(outcome.report.list.data);
}

static void test_cut_output_ends_whole(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	uint8_t bytes[] = { 'a', 0xe2, 0x82 };
	struct executor_answer answer = { .out = { .data = bytes, .length = 3 }, .fd = -1 };
	struct outcome outcome;

	(void)state;
	fields_put_number(&list, FIELD_STATUS, STATUS_FAILED);
	answer.payload = list;
	assert_int_equal(outcome_read(&answer, &outcome), 0);
	assert_int_equal(outcome.out.length, 3); /* not cut: the program wrote it so */
	fields_put_number(&list, FIELD_STDOUT_TRUNCATED, 1);
	answer.payload = list;
	assert_int_equal(outcome_read(&answer, &outcome), 0);
	assert_int_equal(outcome.out.length, 1);
}

static void test_an_outcome_inside_a_list(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct outcome outcome;

	(void)state;
	fields_put_number(&list, FIELD_INDEX, 3);
	assert_int_equal(outcome_read_list(list.data, list.length, &outcome), -EBADMSG);
	fields_put_number(&list, FIELD_STATUS, STATUS_TIMEOUT);
	fields_put_number(&list, FIELD_REASON, REASON_CPU_TIME);
	assert_int_equal(outcome_read_list(list.data, list.length, &outcome), 0);
	assert_int_equal(outcome.reason, REASON_CPU_TIME);
	assert_non_null(outcome.out.data);
	assert_non_null(outcome.err.data);
	assert_int_equal(outcome_read_list(list.data, list.length - 1, &outcome), -EBADMSG);
}

static void sentence_is(enum reason reason, uint64_t limit, const char *expected)
{
	const struct outcome outcome = { .reason = reason, .limit = limit };
	char sentence[OUTCOME_SENTENCE_BYTES];

	assert_string_equal(outcome_sentence(&outcome, sentence), expected);
}

static void test_sentences(void **state)
{
	(void)state;
	sentence_is(REASON_WALL_TIME, 10000, "Execution timed out after 10 s (wall time limit)");
	sentence_is(REASON_WALL_TIME, 2500, "Execution timed out after 2.5 s (wall time limit)");
	sentence_is(REASON_CPU_TIME, 0, "Execution timed out (CPU time limit)");
	sentence_is(REASON_MEMORY, 128 << 20, "Memory limit exceeded: the program may use 128 MB");
	sentence_is(REASON_OUTPUT, 1000, "Output limit exceeded: the program may print 1000 bytes");
	sentence_is(REASON_NONE, 0, "");
	sentence_is(REASON_EXCEPTION, 0, "");
	sentence_is(REASON_EXIT, 0, "");
	for (int reason = REASON_WALL_TIME; reason < REASON_COUNT; reason++) {
		const struct outcome outcome = { .reason = (enum reason)reason,
						 .limit = UINT64_MAX,
						 .signal = UINT64_MAX };
		char sentence[OUTCOME_SENTENCE_BYTES];

		assert_true(strlen(outcome_sentence(&outcome, sentence)) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_numbers),
		cmocka_unit_test(test_unknown_words_are_refused),
		cmocka_unit_test(test_a_status_must_be_there),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_a_broken_report_is_empty),
		cmocka_unit_test(test_cut_output_ends_whole),
		cmocka_unit_test(test_an_outcome_inside_a_list),
		cmocka_unit_test(test_sentences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
