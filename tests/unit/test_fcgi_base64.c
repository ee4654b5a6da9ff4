/* Base64 as clients send it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fcgi-app/http/json.h"

static void decodes(const char *text, const char *expected, size_t length)
{
	AUTO_BUFFER out = BUFFER_INIT(0);

	assert_int_equal(base64_decode(text_of(text), &out), 0);
	assert_int_equal(out.length, length);
	if (length)
		assert_memory_equal(out.data, expected, length);
}

static void refuses(const char *text)
{
	AUTO_BUFFER out = BUFFER_INIT(0);

	assert_int_equal(buffer_append(&out, "x", 1), 0);
	assert_int_equal(base64_decode(text_of(text), &out), -EINVAL);
	assert_int_equal(out.length, 1);
}

static void test_decoded(void **state)
{
	(void)state;
	decodes("", "", 0);
	decodes("AA==", "\0", 1);
	decodes("AAE=", "\0\1", 2);
	decodes("AAEC", "\0\1\2", 3);
	decodes("//79+w==", "\xff\xfe\xfd\xfb", 4);
	decodes("aGVsbG8gd29ybGQ=", "hello world", 11);
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "A",    "AA",   "AAA",      "A===", "====",  "AA=A",
					     "AB==", "AAF=", "AA==AAAA", "AA-_", "AA\n=", "AA A" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		refuses(texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoded),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
