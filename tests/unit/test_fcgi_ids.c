/* Identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fcgi-app/http/http.h"

static void test_valid(void **state)
{
	char longest[ID_LENGTH_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof longest);
	assert_true(id_valid(TEXT("a")));
	assert_true(id_valid(TEXT("0.B-c_d")));
	assert_true(id_valid(TEXT("00000000-0000-4000-8000-000000000000")));
	assert_true(id_valid((struct text){ longest, ID_LENGTH_MAX }));
	assert_false(id_valid((struct text){ longest, ID_LENGTH_MAX + 1 }));
}

static void test_invalid(void **state)
{
	static const char *const invalid[] = {
		"",  ".",   "..",       "-1",   "_a",  "a/b", "a b",
		" ", "a\n", "\xd9\xa0", "a%00", "{a}", "a:b",
	};

	(void)state;
	assert_false(id_valid((struct text){ 0 }));
	assert_false(id_valid(TEXT("a\0b")));
	assert_false(id_valid(TEXT("strict.a")));
	assert_true(id_valid(TEXT("strict")));
	assert_true(id_valid(TEXT("Strict.a")));
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
		assert_false(id_valid(text_of(invalid[i])));
}

static void test_uuids(void **state)
{
	char one[UUID_BYTES], other[UUID_BYTES];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(id_make_uuid(one), 0);
		assert_int_equal(strlen(one), 36);
		assert_int_equal(one[14], '4');
		assert_non_null(strchr("89ab", one[19]));
		assert_true(one[8] == '-' && one[13] == '-' && one[18] == '-' && one[23] == '-');
		assert_true(id_valid(text_of(one)));
	}
	assert_int_equal(id_make_uuid(other), 0);
	assert_string_not_equal(one, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_uuids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
