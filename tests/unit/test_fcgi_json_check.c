/* JSON to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "fcgi-app/http/json.h"

static void accept(const char *text)
{
	size_t offset;
	const char *wrong = json_check(text, strlen(text), &offset);

	if (wrong)
		print_error("refused: %s: %s\n", text, wrong);
	assert_null(wrong);
}

static void refuse(const char *text)
{
	size_t offset;

	if (!json_check(text, strlen(text), &offset))
		print_error("accepted: %s\n", text);
	assert_non_null(json_check(text, strlen(text), &offset));
	assert_true(offset <= strlen(text));
}

static void test_accepted(void **state)
{
	(void)state;
	accept("{}");
	accept(" [ ] \r\n\t");
	accept("{\"a\":[1,-2,0,0.5,1e9,1E-2,1.25e+3,true,false,null,\"x\"]}");
	accept("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"");
	accept("\"h\xc3\xa9 \xf0\x9f\x92\xa9\"");
	accept("123456789012345678901234567890");
	accept("{\"a\\\\u0000\":\"\\u0000\"}");
}

static void test_values_refused(void **state)
{
	(void)state;
	refuse("");
	refuse("{\"a\\u0000b\":1}");
	refuse("[{\"\\\\\\u0000\":1}]");
	refuse("   ");
	refuse("nul");
	refuse("NaN");
	refuse("Infinity");
	refuse("-Infinity");
	refuse("TRUE");
	refuse("'a'");
	refuse("01");
	refuse("-");
	refuse("1.");
	refuse(".5");
	refuse("+1");
	refuse("1e");
	refuse("0x10");
	refuse("{}{}");
	refuse("{} x");
	refuse("/* a */ {}");
}

static void test_containers_refused(void **state)
{
	(void)state;
	refuse("{");
	refuse("[1");
	refuse("[1,]");
	refuse("[,1]");
	refuse("{\"a\":1,}");
	refuse("{\"a\"}");
	refuse("{\"a\" 1}");
	refuse("{'a':1}");
	refuse("{a:1}");
	refuse("{1:1}");
	refuse("[1 2]");
	refuse("[1}");
}

static void test_strings_refused(void **state)
{
	(void)state;
	refuse("\"a");
	refuse("\"a\nb\"");
	refuse("\"\\x41\"");
	refuse("\"\\u12\"");
	refuse("\"\\u12g4\"");
	refuse("\"\\ud800\"");
	refuse("\"\\udc00\"");
	refuse("\"\\ud800\\u0041\"");
	refuse("\"\\ud800x\"");
	refuse("\"\xff\"");
	refuse("\"\xc0\xaf\"");
	refuse("\"\xed\xa0\x80\"");
	refuse("\"\\");
}

static void test_a_nul_is_no_end(void **state)
{
	size_t offset;

	(void)state;
	assert_non_null(json_check("{}\0", 3, &offset));
	assert_non_null(json_check("\"a\0b\"", 5, &offset));
}

static const char *check_nested(char open, char close, size_t depth)
{
	char text[256];
	size_t offset;

	memset(text, open, depth);
	memset(text + depth, close, depth);
	return json_check(text, 2 * depth, &offset);
}

static void test_depth(void **state)
{
	(void)state;
	assert_null(check_nested('[', ']', JSON_DEPTH_MAX));
	assert_non_null(check_nested('[', ']', JSON_DEPTH_MAX + 1));
	assert_non_null(check_nested('[', ']', 100));
}

/* -- looking into it ------------------------------------------------------------------ */

static struct text member(const char *object, const char *name)
{
	struct text value = { 0 };

	(void)json_member(text_of(object), name, &value);
	return value;
}

static void test_members(void **state)
{
	static const char object[] =
		"{\"a\\\\\": 1, \"b\": \"x\\\"}, \\\\\", \"c\":[{\"b\":2},\"]\\\\\\\"\"],"
		"\"d\":\"\",\"a\":3 ,\"b\\\"\": 4}";

	(void)state;
	assert_true(text_equals(member(object, "a"), "3"));
	assert_true(text_equals(member(object, "a\\"), "1"));
	assert_true(text_equals(member(object, "b"), "\"x\\\"}, \\\\\""));
	assert_true(text_equals(member(object, "b\""), "4"));
	assert_true(text_equals(member(object, "c"), "[{\"b\":2},\"]\\\\\\\"\"]"));
	assert_true(text_equals(member(object, "d"), "\"\""));
	assert_null(member(object, "").data);
	assert_null(member("{}", "a").data);
	assert_null(member("[\"a\", 1]", "a").data);
}

static void test_keys(void **state)
{
	static const struct {
		const char *key, *name;
		bool same;
	} keys[] = {
		{ "code", "code", true },
		{ "cod", "code", false },
		{ "codes", "code", false },
		{ "", "code", false },
		{ "c\\u006Fde", "code", true },
		{ "\\u0063ode", "code", true },
		{ "\\u0163ode", "code", false },
		{ "\\u0000ode", "code", false },
		{ "code\\u0000", "code", false },
		{ "cod\\u00e9", "code", false },
		{ "\\ud83d\\ude00", "code", false },
		{ "a\\/b", "a/b", true },
		{ "a\\nb", "a\nb", true },
		{ "\\\"", "\"", true },
		{ "\\\\", "\\", true },
		{ "code\\\\", "code", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		assert_int_equal(json_key_is(text_of(keys[i].key), keys[i].name), keys[i].same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_values_refused),
		cmocka_unit_test(test_containers_refused),
		cmocka_unit_test(test_strings_refused),
		cmocka_unit_test(test_a_nul_is_no_end),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
