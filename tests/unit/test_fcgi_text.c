/* UTF-8 that nobody checked: steps, and ends that were cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/bytes.h"

static void step_is(const char *bytes, size_t length, bool valid)
{
	bool got;

	assert_int_equal(text_utf8_step((const uint8_t *)bytes, strlen(bytes), &got), length);
	assert_int_equal(got, valid);
}

static void test_well_formed(void **state)
{
	(void)state;
	step_is("a", 1, true);
	step_is("\xc3\xa9x", 2, true);
	step_is("\xe2\x82\xacx", 3, true);
	step_is("\xf0\x9f\x92\xa9x", 4, true);
	step_is("\xf4\x8f\xbf\xbf", 4, true); /* U+10FFFF */
}

static void test_one_replacement_for_each_broken_piece(void **state)
{
	(void)state;
	step_is("\x80", 1, false);
	step_is("\xc0\xaf", 1, false);         /* overlong */
	step_is("\xed\xa0\x80", 1, false);     /* a surrogate */
	step_is("\xf5\x80\x80\x80", 1, false); /* above U+10FFFF */
	step_is("\xe2\x82x", 2, false);        /* unfinished: one piece */
	step_is("\xf0\x9f\x92", 3, false);
	step_is("\xc3", 1, false);
}

static void cut_is(const char *bytes, size_t kept)
{
	assert_int_equal(text_without_half_character(text_of(bytes)).length, kept);
}

static void test_cut_streams_end_whole(void **state)
{
	(void)state;
	cut_is("", 0);
	cut_is("abc", 3);
	cut_is("ab\xc3", 2);
	cut_is("ab\xc3\xa9", 4);
	cut_is("ab\xe2\x82", 2);
	cut_is("ab\xf0\x9f\x92", 2);
	cut_is("ab\xf0\x9f\x92\xa9", 6);
	cut_is("ab\x80\x80\x80\x80", 6); /* broken, but not by the cut */
}

static void test_equals(void **state)
{
	(void)state;
	assert_true(text_equals(TEXT("abc"), "abc"));
	assert_false(text_equals(TEXT("abc"), "ab"));
	assert_false(text_equals((struct text){ 0 }, ""));
	assert_null(text_of(NULL).data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_well_formed),
		cmocka_unit_test(test_one_replacement_for_each_broken_piece),
		cmocka_unit_test(test_cut_streams_end_whole),
		cmocka_unit_test(test_equals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
