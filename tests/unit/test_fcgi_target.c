/* Paths in pieces: decoded once, and refused where two readers might differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fcgi-app/http/http.h"

static void refuse(const char *uri)
{
	struct target target;

	assert_int_equal(target_parse(uri, &target), -EINVAL);
}

static void pieces_are(const char *uri, const char *const *expected, const char *query)
{
	struct target target;
	size_t i = 0;

	assert_int_equal(target_parse(uri, &target), 0);
	for (; expected[i]; i++) {
		assert_true(i < target.count);
		assert_string_equal(target.pieces[i].data, expected[i]);
		assert_int_equal(target.pieces[i].length, strlen(expected[i]));
	}
	assert_int_equal(target.count, i);
	assert_string_equal(target.query, query);
	target_free(&target);
}

static void test_pieces(void **state)
{
	(void)state;
	pieces_are("/", (const char *[]){ "", NULL }, "");
	pieces_are("/api/", (const char *[]){ "api", "", NULL }, "");
	pieces_are("/api/load/a.py", (const char *[]){ "api", "load", "a.py", NULL }, "");
	pieces_are("/a?b=c/../d?e", (const char *[]){ "a", NULL }, "b=c/../d?e");
	pieces_are("/%61%2Fb/c%20d+e", (const char *[]){ "a/b", "c d+e", NULL }, "");
	pieces_are("/h%C3%A9/%252e", (const char *[]){ "h\xc3\xa9", "%2e", NULL }, "");
	pieces_are("/...", (const char *[]){ "...", NULL }, "");
}

static void test_refused(void **state)
{
	(void)state;
	refuse("");
	refuse("api");
	refuse("*");
	refuse("http://x/");
	refuse("//a");
	refuse("/a//b");
	refuse("/a/../b");
	refuse("/a/.");
	refuse("/%2e%2e/b");
	refuse("/.%2E");
	refuse("/a%00b");
	refuse("/%ff");
	refuse("/%c0%af");
	refuse("/%");
	refuse("/%1");
	refuse("/%zz");
}

static void test_too_many_pieces(void **state)
{
	char uri[2 * TARGET_PIECES_MAX + 3] = "";
	struct target target;

	(void)state;
	for (int i = 0; i < TARGET_PIECES_MAX; i++)
		strcat(uri, "/a");
	assert_int_equal(target_parse(uri, &target), 0);
	target_free(&target);
	strcat(uri, "/a");
	assert_int_equal(target_parse(uri, &target), -ENAMETOOLONG);
}

static void test_decoded_already(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_parse_decoded("/a%41/b", "q=1", &target), 0);
	assert_string_equal(target.pieces[0].data, "a%41");
	assert_string_equal(target.query, "q=1");
	target_free(&target);
	assert_int_equal(target_parse_decoded("", "", &target), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_pieces),
		cmocka_unit_test(test_decoded_already),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
