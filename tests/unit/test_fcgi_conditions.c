/* ETags, preconditions and ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/http/answer.h"

static const struct stat file = { .st_ino = 7, .st_size = 10, .st_mtim = { 1, 2 } };

static void test_etags(void **state)
{
	struct stat other = file;
	char one[ETAG_BYTES], two[ETAG_BYTES];

	(void)state;
	etag_of(&file, one);
	assert_true(one[0] == '"' && one[strlen(one) - 1] == '"');
	assert_string_equal(etag_of(&other, two), one);
	other.st_mtim.tv_nsec++;
	assert_string_not_equal(etag_of(&other, two), one);
	other = file;
	other.st_size++;
	assert_string_not_equal(etag_of(&other, two), one);
	other = file;
	other.st_ino++;
	assert_string_not_equal(etag_of(&other, two), one);
}

static void test_conditions(void **state)
{
	char etag[ETAG_BYTES], list[3 * ETAG_BYTES], weak[ETAG_BYTES + 2];

	(void)state;
	etag_of(&file, etag);
	snprintf(list, sizeof list, "\"a, b\" , %s,\"c\"", etag);
	snprintf(weak, sizeof weak, "W/%s", etag);
	assert_true(if_match_holds("", NULL));
	assert_true(if_match_holds("*", &file));
	assert_false(if_match_holds("*", NULL));
	assert_true(if_match_holds(etag, &file));
	assert_true(if_match_holds(list, &file));
	assert_false(if_match_holds(etag, NULL));
	assert_false(if_match_holds("\"x\"", &file));
	assert_false(if_match_holds(weak, &file));
	assert_false(if_match_holds("\"unfinished", &file));

	assert_true(if_none_match_holds("", &file));
	assert_true(if_none_match_holds("*", NULL));
	assert_false(if_none_match_holds("*", &file));
	assert_false(if_none_match_holds(list, &file));
	assert_false(if_none_match_holds(weak, &file));
	assert_true(if_none_match_holds("\"x\"", &file));
}

static void part(const char *header, uint64_t first, uint64_t length)
{
	uint64_t got_first, got_length;

	assert_int_equal(range_read(header, 10, &got_first, &got_length), RANGE_PART);
	assert_int_equal(got_first, first);
	assert_int_equal(got_length, length);
}

static void test_ranges(void **state)
{
	static const char *const all[] = { "",
					   "bytes",
					   "bytes=",
					   "bytes=-",
					   "bytes=a-b",
					   "lines=1-2",
					   "bytes=1-2,4-5",
					   "bytes=3-2",
					   "bytes=1-2x",
					   "bytes= 1-2",
					   "bytes=9999999999999999999-" };
	static const char *const outside[] = { "bytes=10-", "bytes=10-12", "bytes=-0" };
	uint64_t first, length;

	(void)state;
	part("bytes=0-0", 0, 1);
	part("bytes=2-4", 2, 3);
	part("bytes=2-", 2, 8);
	part("bytes=2-99", 2, 8);
	part("bytes=-3", 7, 3);
	part("bytes=-99", 0, 10);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_int_equal(range_read(all[i], 10, &first, &length), RANGE_ALL);
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
		assert_int_equal(range_read(outside[i], 10, &first, &length), RANGE_OUTSIDE);
	assert_int_equal(range_read("bytes=-1", 0, &first, &length), RANGE_OUTSIDE);
	assert_int_equal(range_read("bytes=0-", 0, &first, &length), RANGE_OUTSIDE);
}

static void test_media_types(void **state)
{
	(void)state;
	assert_string_equal(media_type_of("a/b.PNG"), "image/png");
	assert_string_equal(media_type_of("a.tar.gz"), "application/gzip");
	assert_string_equal(media_type_of("Makefile"), "application/octet-stream");
	assert_string_equal(media_type_of(""), "application/octet-stream");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_etags),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_media_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
