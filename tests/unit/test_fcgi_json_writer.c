/* JSON from raw bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fcgi-app/http/json.h"

static void text_gives(struct text text, const char *expected)
{
	AUTO_BUFFER out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);

	writer_text(&writer, NULL, text);
	assert_int_equal(writer.error, 0);
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);
}

static void test_texts(void **state)
{
	(void)state;
	text_gives(TEXT(""), "\"\"");
	text_gives((struct text){ 0 }, "null");
	text_gives(TEXT("a/b"), "\"a/b\"");
	text_gives(TEXT("\"\\\n\r\t\b\f"), "\"\\\"\\\\\\n\\r\\t\\b\\f\"");
	text_gives(TEXT("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\"");
	text_gives(TEXT("h\xc3\xa9"), "\"h\xc3\xa9\"");
	text_gives(TEXT("a\xff\xfe z"), "\"a\xef\xbf\xbd\xef\xbf\xbd z\"");
	text_gives(TEXT("a\xe2\x82"), "\"a\xef\xbf\xbd\"");
}

static void json_gives(struct text text, const char *expected)
{
	AUTO_BUFFER out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);

	writer_json(&writer, NULL, text);
	assert_int_equal(writer.error, 0);
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);
}

static void test_json_from_elsewhere(void **state)
{
	(void)state;
	json_gives((struct text){ 0 }, "null");
	json_gives(TEXT("{\"a\": [1, 2.5]}"), "{\"a\": [1, 2.5]}");
	json_gives(TEXT("\"x\""), "\"x\"");
	json_gives(TEXT(""), "\"\"");
	json_gives(TEXT("NaN"), "\"NaN\"");
	json_gives(TEXT("1],\"passed\":[true"), "\"1],\\\"passed\\\":[true\"");
	json_gives(TEXT("\"\xff\""), "\"\\\"\xef\xbf\xbd\\\"\"");
}

static void test_structure(void **state)
{
	static const char expected[] =
		"{\"a\":1,\"b\":[\"x\",null,true],\"c\":{},\"d\":[{\"e\":-5},{}],"
		"\"k\":18446744073709551615}";
	AUTO_BUFFER out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);

	(void)state;
	writer_open_object(&writer, NULL);
	writer_number(&writer, "a", 1);
	writer_open_array(&writer, "b");
	writer_string(&writer, NULL, "x");
	writer_null(&writer, NULL);
	writer_bool(&writer, NULL, true);
	writer_close_array(&writer);
	writer_open_object(&writer, "c");
	writer_close_object(&writer);
	writer_open_array(&writer, "d");
	writer_open_object(&writer, NULL);
	writer_number(&writer, "e", -5);
	writer_close_object(&writer);
	writer_open_object(&writer, NULL);
	writer_close_object(&writer);
	writer_close_array(&writer);
	writer_text_key(&writer, TEXT("k"));
	writer_unsigned(&writer, NULL, UINT64_MAX);
	writer_close_object(&writer);
	assert_int_equal(writer.error, 0);
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);
}

static void decimal_is(uint64_t value, int decimals, const char *expected)
{
	AUTO_BUFFER out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);

	writer_decimal(&writer, NULL, value, decimals);
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);
}

static void test_decimals(void **state)
{
	(void)state;
	decimal_is(0, 6, "0.0");
	decimal_is(1200, 3, "1.2");
	decimal_is(1234567, 6, "1.234567");
	decimal_is(10000000, 6, "10.0");
	decimal_is(5, 3, "0.005");
}

static void base64_is(struct text bytes, const char *expected)
{
	AUTO_BUFFER out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);

	writer_base64(&writer, NULL, bytes);
	assert_int_equal(out.length, strlen(expected));
	assert_memory_equal(out.data, expected, out.length);
}

static void test_base64(void **state)
{
	(void)state;
	base64_is(TEXT(""), "\"\"");
	base64_is(TEXT("f"), "\"Zg==\"");
	base64_is(TEXT("fo"), "\"Zm8=\"");
	base64_is(TEXT("foo"), "\"Zm9v\"");
	base64_is(TEXT("foob"), "\"Zm9vYg==\"");
	base64_is(TEXT("\xff\xfe\xfd"), "\"//79\"");
}

static void test_an_error_sticks(void **state)
{
	AUTO_BUFFER out = BUFFER_INIT(4);
	struct json_writer writer = JSON_WRITER(&out);

	(void)state;
	writer_string(&writer, NULL, "too long");
	assert_int_equal(writer.error, -EMSGSIZE);
	writer_number(&writer, NULL, 1);
	assert_int_equal(writer.error, -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),     cmocka_unit_test(test_json_from_elsewhere),
		cmocka_unit_test(test_structure), cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_base64),    cmocka_unit_test(test_an_error_sticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
