/* Judging: cases from a request, verdicts from the executor, the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/native/native.h"

static const struct config config = { .code_bytes = 100, .stdin_bytes = 100, .evaluate_cases = 10 };

/* ---- the request ---------------------------------------------------------- */

static void read_request(const char *json, struct input *input, struct evaluate *evaluate)
{
	input->root = text_of(json);
	evaluate_read(&config, input, "io_cases", evaluate);
}

static struct field_view case_list(const struct evaluate *evaluate, size_t index)
{
	struct fields_reader reader;
	struct field_view field;

	fields_open(&reader, evaluate->fields.data, evaluate->fields.length);
	for (size_t i = 0; i <= index; i++) {
		assert_int_equal(fields_next(&reader, &field), 1);
		assert_int_equal(field.tag, FIELD_CASE);
		assert_int_equal(fields_check(field.value, field.length), 0);
	}
	return field;
}

static void field_is(const struct field_view *list, enum field tag, const char *expected)
{
	struct field_view field;

	assert_int_equal(fields_find(list->value, list->length, tag, &field), expected != NULL);
	if (!expected)
		return;
	assert_int_equal(field.length, strlen(expected));
	assert_memory_equal(field.value, expected, field.length);
}

static void test_cases_in_order(void **state)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	AUTO_INPUT input = { 0 };
	struct field_view list;

	(void)state;
	read_request("{\"code\":\"c\",\"entry_point\":\"f\",\"tolerance\":0.1,\"io_cases\":["
		     "{\"input\":\"a=1\",\"output\":\"2\"},"
		     "{\"stdin\":\"x\",\"stdout\":\"y\",\"tolerance\":-0.0},"
		     "{\"stdout\":\"z\",\"input\":null}]}",
		     &input, &evaluate);
	assert_int_equal(input.wrong, 0);
	assert_int_equal(evaluate.count, 3);
	list = case_list(&evaluate, 0);
	field_is(&list, FIELD_CASE_INPUT, "a=1");
	field_is(&list, FIELD_CASE_OUTPUT, "2");
	field_is(&list, FIELD_TOLERANCE, "0.10000000000000001");
	field_is(&list, FIELD_STDIN, NULL);
	list = case_list(&evaluate, 1);
	field_is(&list, FIELD_STDIN, "x");
	field_is(&list, FIELD_CASE_STDOUT, "y");
	field_is(&list, FIELD_TOLERANCE, "0");
	field_is(&list, FIELD_CASE_INPUT, NULL);
	list = case_list(&evaluate, 2);
	field_is(&list, FIELD_STDIN, "");
}

static void wrong_field_is(const char *json, const char *field)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	AUTO_INPUT input = { 0 };

	read_request(json, &input, &evaluate);
	assert_int_equal(input.wrong, 1);
	assert_string_equal(input.errors[0].field, field);
}

static void test_wrong_cases(void **state)
{
	(void)state;
	wrong_field_is("{\"code\":\"\"}", "code");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":7}", "io_cases");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":[null]}", "io_cases[0]");
	wrong_field_is("{\"code\":\"c\",\"tolerance\":true}", "tolerance");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":[{\"input\":\"a\",\"output\":\"1\"}]}",
		       "entry_point");
	wrong_field_is("{\"code\":\"c\",\"entry_point\":\"f\",\"io_cases\":[{\"input\":\"a\"}]}",
		       "io_cases[0].output");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":[{\"input\":\"a\",\"stdout\":\"1\"}]}",
		       "io_cases[0].input");
	wrong_field_is(
		"{\"code\":\"c\",\"entry_point\":\"f\",\"io_cases\":[{\"input\":\"a\\u0000\","
		"\"output\":\"1\"}]}",
		"io_cases[0].input");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":[{\"stdout\":\"\",\"tolerance\":1e999}]}",
		       "io_cases[0].tolerance");
	wrong_field_is("{\"code\":\"c\",\"io_cases\":[0,0,0,0,0,0,0,0,0,0,0]}", "io_cases");
}

static void test_wrong_cases_fail_alone(void **state)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	AUTO_INPUT input = { 0 };
	struct field_view list;

	(void)state;
	evaluate.wrong_case = WRONG_CASE_FAILS_ALONE;
	read_request("{\"code\":\"c\",\"entry_point\":\"f\",\"io_cases\":["
		     "{\"input\":\"a=1\"},{\"stdin\":\"\"},{\"input\":\"b=1\",\"output\":\"2\"},{"
		     "\"output\":\"1\"}]}",
		     &input, &evaluate);
	assert_int_equal(input.wrong, 0);
	assert_int_equal(evaluate.count, 4);
	assert_int_equal(evaluate.asked_count, 1);
	assert_int_equal(evaluate.asked[0], 2);
	list = case_list(&evaluate, 0);
	field_is(&list, FIELD_CASE_INPUT, "b=1");
	assert_string_equal(evaluate.cases[0].wrong, "output is missing");
	assert_string_equal(evaluate.cases[1].wrong, "stdout is missing");
	assert_null(evaluate.cases[2].wrong);
	assert_string_equal(evaluate.cases[3].wrong, "input is missing");
}

/* ---- the answer ----------------------------------------------------------- */

/* The parts of a verdict; what is NULL or 0 is not sent. */
struct verdict {
	uint64_t passed;
	enum status status;
	enum reason reason;
	const char *got, *expected, *message, *type, *exception;
};

static void put_verdict(struct buffer *payload, enum field tag, uint64_t index,
			const struct verdict *verdict)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	AUTO_BUFFER report = BUFFER_INIT(0);

	fields_put_number(&list, FIELD_INDEX, index);
	fields_put_number(&list, FIELD_PASSED, verdict->passed);
	fields_put_number(&list, FIELD_STATUS, verdict->status);
	fields_put_number(&list, FIELD_REASON, verdict->reason);
	fields_put_number(&list, FIELD_WALL_US, 1500);
	fields_put_text(&list, FIELD_GOT, verdict->got);
	fields_put_text(&list, FIELD_EXPECTED, verdict->expected);
	fields_put_text(&list, FIELD_MESSAGE, verdict->message);
	fields_put_text(&list, FIELD_CONTENT, "hi\n");
	fields_put_text(&report, FIELD_EXCEPTION_TYPE, verdict->type);
	fields_put_text(&report, FIELD_EXCEPTION_MESSAGE, verdict->exception);
	fields_put_bytes(&list, FIELD_REPORT, report.data, report.length);
	fields_put_bytes(payload, tag, list.data, list.length);
}

/* The body of the answer for one verdict, which is about the loading or about the
 * one case. The caller frees it. */
static char *body_of(enum field tag, const struct verdict *verdict, bool detailed)
{
	struct evaluate_case one = { .input = TEXT("a=1"), .output = TEXT("2") };
	struct evaluate evaluate = EVALUATE_INIT;
	struct exchange exchange = { 0 };

	evaluate.cases = &one;
	evaluate.count = 1;
	evaluate.asked = calloc(1, sizeof *evaluate.asked);
	evaluate.asked_count = 1;
	put_verdict(&evaluate.answer.payload, tag, 0, verdict);
	assert_int_equal(evaluate_decode(&evaluate), 0);
	evaluate_answer(&exchange, &evaluate, detailed);
	evaluate.cases = NULL;
	evaluate.count = 0;
	evaluate_free(&evaluate);
	buffer_append(&exchange.reply, "", 1);
	return (char *)exchange.reply.data;
}

static void case_says(const struct verdict *verdict, const char *part)
{
	char *body = body_of(FIELD_CASE_RESULT, verdict, false);

	if (!strstr(body, part))
		print_error("no %s in: %s\n", part, body);
	assert_non_null(strstr(body, part));
	free(body);
}

static void test_verdicts(void **state)
{
	(void)state;
	case_says(
		&(struct verdict){ .passed = 1, .got = "[1]", .expected = "[1]" },
		"{\"passed\":true,\"case_results\":[{\"case\":0,\"input\":\"a=1\",\"passed\":true,"
		"\"got\":[1],\"expected\":[1],\"error\":null,\"usage\":{\"wall_ms\":1.5,");
	case_says(&(struct verdict){ .got = "3", .expected = "2" },
		  "{\"passed\":false,\"case_results\":[{\"case\":0,\"input\":\"a=1\",\"passed\":"
		  "false,"
		  "\"got\":3,\"expected\":2,\"error\":null,");
	case_says(&(struct verdict){ .status = STATUS_TIMEOUT, .reason = REASON_CPU_TIME },
		  "\"got\":null,\"expected\":null,\"error\":\"Timeout\"");
	case_says(&(struct verdict){ .status = STATUS_ERROR,
				     .reason = REASON_EXCEPTION,
				     .type = "ZeroDivisionError",
				     .exception = "division by zero" },
		  "\"error\":\"ZeroDivisionError: division by zero\"");
	case_says(&(struct verdict){ .status = STATUS_ERROR,
				     .reason = REASON_EXCEPTION,
				     .type = "KeyboardInterrupt",
				     .exception = "" },
		  "\"error\":\"KeyboardInterrupt\"");
	case_says(&(struct verdict){ .status = STATUS_FAILED, .reason = REASON_MEMORY },
		  "\"error\":\"Memory limit exceeded\"");
	case_says(&(struct verdict){ .reason = REASON_NONE },
		  "\"error\":\"the code ended the process with exit code 0\"");
	case_says(&(struct verdict){ .message = "the expected output is no expression" },
		  "\"error\":\"the expected output is no expression\"");
}

/* What a sandbox says can break neither the answer nor the verdict. */
static void test_forged_values(void **state)
{
	(void)state;
	case_says(&(struct verdict){ .got = "1}],\"passed\":true", .expected = "2" },
		  "\"passed\":false,\"got\":\"1}],\\\"passed\\\":true\",\"expected\":2");
	case_says(&(struct verdict){ .got = "Infinity", .expected = "2" }, "\"got\":\"Infinity\"");
}

static void test_code_that_does_not_load(void **state)
{
	static const struct verdict verdict = { .status = STATUS_ERROR,
						.reason = REASON_EXCEPTION,
						.type = "SyntaxError",
						.exception = "invalid syntax" };
	static const char error[] = "\"error\":\"SyntaxError: invalid syntax\"";
	char *body = body_of(FIELD_LOAD, &verdict, false);

	(void)state;
	assert_non_null(strstr(body, "{\"passed\":false,\"case_results\":[{\"case\":0,"));
	assert_non_null(strstr(body, "\"got\":null,\"expected\":null,"));
	assert_non_null(strstr(strstr(body, error) + 1, error)); /* of the case, and of all */
	assert_null(strstr(body, "traceback"));
	free(body);
	body = body_of(FIELD_LOAD, &verdict, true);
	assert_non_null(strstr(body, "\"exception\":{\"type\":\"SyntaxError\""));
	free(body);
}

static void test_details(void **state)
{
	static const struct verdict verdict = { .status = STATUS_TIMEOUT,
						.reason = REASON_WALL_TIME };
	char *body = body_of(FIELD_CASE_RESULT, &verdict, true);

	(void)state;
	assert_non_null(strstr(body, "\"status\":\"timeout\",\"reason\":\"wall_time\","
				     "\"stdout\":\"hi\\n\",\"exception\":null,\"usage\":"));
	free(body);
}

/* A program that ran printed something, if only nothing; one that did not run is null. */
static void test_programs(void **state)
{
	struct evaluate_case one = { .prints = true, .input = TEXT(""), .output = TEXT("8\n") };
	struct evaluate_result result = { .known = true, .outcome = { .status = STATUS_SUCCESS } };
	struct evaluate evaluate = { .cases = &one, .count = 1, .results = &result };
	static const char *const got[] = {
		"\"got\":\"\",\"expected\":\"8\\n\",\"error\":null",
		"\"got\":null,\"expected\":\"8\\n\",\"error\":\"the code"
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct exchange exchange = { 0 };

		evaluate.load_failed = i == 1;
		evaluate_answer(&exchange, &evaluate, false);
		buffer_append(&exchange.reply, "", 1);
		assert_non_null(strstr((const char *)exchange.reply.data, got[i]));
		buffer_reset(&exchange.reply);
		buffer_reset(&exchange.headers);
	}
}

static int decode(size_t count, size_t first, size_t second)
{
	static const struct verdict passed = { .passed = 1 };
	AUTO_EVALUATE evaluate = EVALUATE_INIT;

	evaluate.count = count;
	evaluate.asked_count = count;
	evaluate.cases = calloc(count, sizeof *evaluate.cases);
	evaluate.asked = calloc(count, sizeof *evaluate.asked);
	for (size_t i = 0; i < count; i++)
		evaluate.asked[i] = i;
	put_verdict(&evaluate.answer.payload, FIELD_CASE_RESULT, first, &passed);
	put_verdict(&evaluate.answer.payload, FIELD_CASE_RESULT, second, &passed);
	return evaluate_decode(&evaluate);
}

static void test_every_case_has_one_verdict(void **state)
{
	(void)state;
	assert_int_equal(decode(2, 0, 1), 0);
	assert_int_equal(decode(2, 1, 0), 0);
	assert_int_equal(decode(2, 0, 0), -EBADMSG);
	assert_int_equal(decode(2, 0, 2), -EBADMSG);
	assert_int_equal(decode(3, 0, 1), -EBADMSG);
}

/* Nothing was tested, so nothing has passed. */
static void test_no_cases(void **state)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	struct exchange exchange = { 0 };
	static const char expected[] = "{\"passed\":false,\"case_results\":[],"
				       "\"error\":\"There are no cases: nothing was tested.\"}";

	(void)state;
	assert_int_equal(evaluate_decode(&evaluate), 0);
	evaluate_answer(&exchange, &evaluate, false);
	assert_int_equal(exchange.reply.length, sizeof expected - 1);
	assert_memory_equal(exchange.reply.data, expected, sizeof expected - 1);
	buffer_reset(&exchange.reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_in_order),
		cmocka_unit_test(test_wrong_cases),
		cmocka_unit_test(test_wrong_cases_fail_alone),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_forged_values),
		cmocka_unit_test(test_code_that_does_not_load),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_every_case_has_one_verdict),
		cmocka_unit_test(test_no_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
