/* Queries and form bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/http/http.h"

static void value_is(const char *list, const char *name, const char *expected)
{
	struct text value;
	char *storage;

	assert_int_equal(form_find(text_of(list), name, &value, &storage), 1);
	assert_string_equal(value.data, expected);
	assert_int_equal(value.length, strlen(expected));
	free(storage);
}

static int find(const char *list, const char *name)
{
	struct text value;
	char *storage;
	int found = form_find(text_of(list), name, &value, &storage);

	if (found == 1)
		free(storage);
	return found;
}

static void test_found(void **state)
{
	(void)state;
	value_is("a=1", "a", "1");
	value_is("a=1&b=2", "b", "2");
	value_is("a=1&a=2", "a", "1"); /* the first one is the one */
	value_is("a=", "a", "");
	value_is("a", "a", "");
	value_is("&&a=1&", "a", "1");
	value_is("code=print(%271%27)%0A+x%2B%3D", "code", "print('1')\n x+=");
	value_is("c%6Fde=x", "code", "x");
	value_is("a=b=c", "a", "b=c");
}

static void test_not_found(void **state)
{
	(void)state;
	assert_int_equal(find("", "a"), 0);
	assert_int_equal(find("ab=1", "a"), 0);
	assert_int_equal(find("x=a", "a"), 0);
	assert_int_equal(form_find((struct text){ 0 }, "a", NULL, NULL), 0);
}

static void test_broken(void **state)
{
	(void)state;
	assert_int_equal(find("a=%", "a"), -EINVAL);
	assert_int_equal(find("a=%4", "a"), -EINVAL);
	assert_int_equal(find("a=%zz", "a"), -EINVAL);
	assert_int_equal(find("%=1&a=1", "a"), -EINVAL);
}

static void test_nul_is_kept(void **state)
{
	struct text value;
	char *storage;

	(void)state;
	assert_int_equal(form_find(TEXT("a=x%00y"), "a", &value, &storage), 1);
	assert_int_equal(value.length, 3);
	assert_memory_equal(value.data, "x\0y", 4);
	free(storage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_nul_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
