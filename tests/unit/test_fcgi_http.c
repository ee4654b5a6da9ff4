/* The words of HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-app/http/http.h"

static void test_methods(void **state)
{
	(void)state;
	assert_int_equal(http_method("GET"), METHOD_GET);
	assert_int_equal(http_method("DELETE"), METHOD_DELETE);
	assert_int_equal(http_method("get"), METHOD_UNKNOWN);
	assert_int_equal(http_method(""), METHOD_UNKNOWN);
	assert_string_equal(http_method_name(METHOD_PUT), "PUT");
	assert_string_equal(http_status_title(404), "Not Found");
	assert_string_equal(http_status_title(299), "Unknown");
}

static void test_json_types(void **state)
{
	(void)state;
	assert_true(http_is_json("application/json"));
	assert_true(http_is_json("Application/JSON; charset=UTF-8"));
	assert_true(http_is_json("application/json;charset=\"utf-8\""));
	assert_true(http_is_json("application/vnd.x+json"));
	assert_false(http_is_json("application/json; charset=utf-16"));
	assert_false(http_is_json("text/plain"));
	assert_false(http_is_json("application/jsonx"));
	assert_false(http_is_json("application/+json"));
	assert_false(http_is_json("multipart/form-data; boundary=application/json"));
	assert_false(http_is_json(""));
}

static void test_accept(void **state)
{
	(void)state;
	assert_int_equal(http_accepts("", "text/html"), 1000);
	assert_int_equal(http_accepts("*/*", "text/html"), 1000);
	assert_int_equal(
		http_accepts("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/plain"), 800);
	assert_int_equal(http_accepts("text/html;q=0.5, text/plain", "text/html"), 500);
	assert_int_equal(http_accepts("text/*;q=0.25", "text/html"), 250);
	assert_int_equal(http_accepts("text/event-stream", "application/json"), 0);
	assert_int_equal(http_accepts("*/*, text/html;q=0", "text/html"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_json_types),
		cmocka_unit_test(test_accept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
