/* Which files belong to a package, and which a program needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "common/owned.h"
#include "executor/zygotes/root_files.h"

struct seen {
	const char *wanted; /* how the path ends */
	bool found;
	int count, stop_after; /* 0: never */
};

static int look(void *context, const char *path)
{
	struct seen *seen = context;
	size_t length = strlen(path), end = strlen(seen->wanted);

	assert_int_equal(*path, '/');
	seen->found |= length >= end && !strcmp(path + length - end, seen->wanted);
	return ++seen->count == seen->stop_after ? -ECANCELED : 0;
}

static void test_files_of_a_package(void **state)
{
	struct seen seen = { .wanted = "/bin/ls" };

	(void)state;
	if (!packages_known())
		skip();
	assert_int_equal(package_files("coreutils", look, &seen), 0);
	assert_true(seen.found);
	assert_true(seen.count > 100);
}

static void test_an_error_ends_the_list(void **state)
{
	struct seen seen = { .wanted = "", .stop_after = 3 };

	(void)state;
	if (!packages_known())
		skip();
	assert_int_equal(package_files("coreutils", look, &seen), -ECANCELED);
	assert_int_equal(seen.count, 3);
}

static void test_names_that_are_no_packages(void **state)
{
	static const char *const names[] = { "",         "no-such-package-here",
					     "*",        "../info/coreutils",
					     ".",        "coreutils/../coreutils",
					     "core?tils" };
	struct seen seen = { .wanted = "" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(package_files(names[i], look, &seen), -ENOENT);
	assert_int_equal(seen.count, 0);
}

static void test_needs_of_a_program(void **state)
{
	AUTO_FD fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct seen libc = { .wanted = "/libc.so.6" };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(needed_libraries(fd, "/proc/self/exe", look, &libc), 0);
	assert_true(libc.found);
	assert_true(libc.count >= 3); /* the loader, libc, cmocka */
}

static void test_what_is_no_program_needs_nothing(void **state)
{
	static const char *const paths[] = { "/etc/passwd", "/dev/null" };
	struct seen seen = { .wanted = "" };

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		AUTO_FD fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(needed_libraries(fd, paths[i], look, &seen), 0);
	}
	assert_int_equal(seen.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_of_a_package),
		cmocka_unit_test(test_an_error_ends_the_list),
		cmocka_unit_test(test_names_that_are_no_packages),
		cmocka_unit_test(test_needs_of_a_program),
		cmocka_unit_test(test_what_is_no_program_needs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
