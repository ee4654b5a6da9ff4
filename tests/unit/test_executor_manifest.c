/* What an environment's manifest may say; whatever else is in its folder is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/environments/environments.h"

#define GOOD "name = data\npython = " PYTHON_VERSION "\n"

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put_bytes(const char *name, const void *bytes, size_t length)
{
	FILE *file = fopen(in_folder(name), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-manifest-XXXXXX");
	assert_non_null(mkdtemp(folder));
	put("environment.conf", GOOD);
	put("packages", "numpy==2.0\n");
	put("modules", "numpy\nnumpy_tools\n");
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "environment.conf", "packages", "modules" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (unlink(in_folder(names[i])) && errno == EISDIR)
			(void)rmdir(in_folder(names[i]));
	return rmdir(folder);
}

/* It is refused, and the reason names the file and what is wrong. */
static void refused(const char *file, const char *what)
{
	struct manifest manifest = { 0 };
	char error[MANIFEST_ERROR_BYTES] = "";

	assert_true(manifest_read(folder, &manifest, error) < 0);
	assert_true(strlen(error) < sizeof error);
	if (!strstr(error, file) || !strstr(error, what))
		fail_msg("the reason \"%s\" does not name %s and %s", error, file, what);
	manifest_free(&manifest);
}

static void refused_conf(const char *conf, const char *what)
{
	put("environment.conf", conf);
	refused("environment.conf", what);
}

static void test_all_that_it_may_say(void **state)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_BYTES];

	(void)state;
	put("environment.conf",
	    "# a comment\n\n" GOOD " description =  two words \npreload = numpy numpy.fft\n"
	    "programs = swi-prolog-nox\nvariables = A=1 B_2=x=y C=\nwarm_up = on\n"
	    "wall_ms = 7000\nmemory_bytes = 268435456\n");
	assert_int_equal(manifest_read(folder, &manifest, error), 0);
	assert_string_equal(manifest.name, "data");
	assert_string_equal(manifest.description, "two words");
	assert_string_equal(manifest.preload, "numpy numpy.fft");
	assert_string_equal(manifest.programs, "swi-prolog-nox");
	assert_string_equal(manifest.variables, "A=1 B_2=x=y C=");
	assert_string_equal(manifest.packages, "numpy==2.0\n");
	assert_true(manifest.warm_up);
	assert_int_equal(manifest.limits.wall_ms, 7000);
	manifest_free(&manifest);
	manifest_free(&manifest); /* again does nothing */
}

static void test_defaults(void **state)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_BYTES];

	(void)state;
	assert_int_equal(manifest_read(folder, &manifest, error), 0);
	assert_string_equal(manifest.preload, "");
	assert_string_equal(manifest.variables, "");
	assert_false(manifest.warm_up);
	manifest_free(&manifest);
}

static void test_its_limits_take_the_place_of_the_profile_s(void **state)
{
	const struct limits profile = { .wall_ms = 5000, .memory_bytes = 1 << 27, .processes = 20 };
	struct manifest manifest;
	char error[MANIFEST_ERROR_BYTES];

	(void)state;
	put("environment.conf", GOOD "memory_bytes = 268435456\nopen_files = 99\n");
	assert_int_equal(manifest_read(folder, &manifest, error), 0);
	struct limits both = manifest_limits(&manifest, &profile);
	assert_int_equal(both.memory_bytes, 1 << 28);
	assert_int_equal(both.open_files, 99);
	assert_int_equal(both.wall_ms, 5000);
	assert_int_equal(both.processes, 20);
	manifest_free(&manifest);
}

static void test_modules_by_their_whole_name(void **state)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_BYTES];

	(void)state;
	put("modules", "numpy_tools\n\nnumpy"); /* no end of line at the end */
	assert_int_equal(manifest_read(folder, &manifest, error), 0);
	assert_true(manifest_has_module(&manifest, "numpy", 5));
	assert_true(manifest_has_module(&manifest, "numpy_tools", 11));
	assert_false(manifest_has_module(&manifest, "nump", 4));
	assert_false(manifest_has_module(&manifest, "numpy_", 6));
	assert_false(manifest_has_module(&manifest, "", 0));
	assert_false(manifest_has_module(&manifest, "numpy\nnumpy", 11));
	manifest_free(&manifest);
	assert_false(manifest_has_module(&manifest, "numpy", 5)); /* of none */
}

static void test_names(void **state)
{
	static const char *const good[] = { "a", "data", "a-b_c9",
					    "abcdefghijklmnopqrstuvwxyz012345" };
	static const char *const bad[] = { "",
					   "Data",
					   "1a",
					   "-a",
					   "a b",
					   "a/b",
					   "..",
					   "a.b",
					   "a\n",
					   "\xc3",
					   "a\t",
					   "a:b",
					   "abcdefghijklmnopqrstuvwxyz0123456" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(environment_name_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(environment_name_valid(bad[i], strlen(bad[i])));
	assert_false(environment_name_valid("a\0b", 3));
	assert_false(environment_name_valid("\0", 1));
}

static void test_wrong_settings(void **state)
{
	(void)state;
	refused_conf("", "wrong name");
	refused_conf("name = Data\npython = " PYTHON_VERSION "\n", "wrong name");
	refused_conf("name = ../data\npython = " PYTHON_VERSION "\n", "wrong name");
	refused_conf("name = data\n", "runs Python " PYTHON_VERSION);
	refused_conf("name = data\npython = 2.7\n", "rebuild it");
	refused_conf(GOOD "nothing = 1\n", "unknown setting \"nothing\"");
	refused_conf(GOOD "no equals sign\n", "expected name = value");
	refused_conf(GOOD "wall_ms = -1\n", "wall_ms");
	refused_conf(GOOD "wall_ms = 1s\n", "wall_ms");
	refused_conf(GOOD "wall_ms =\n", "wall_ms");
	refused_conf(GOOD "memory_bytes = 18446744073709551616\n", "memory_bytes");
	refused_conf(GOOD "warm_up = perhaps\n", "warm_up");
}

static void test_variables_that_are_not_its_own(void **state)
{
	static const char *const bad[] = {
		"LD_PRELOAD=/x",  "LD_LIBRARY_PATH=", "PATH=/bin", "PYTHONPATH=/x", "PYTHONHOME=/",
		"A=1 LD_AUDIT=x", "noequals",         "=x",        "A B=1",         "A-B=1",
		"A=1 =2",         "\xc3\xa4=1"
	};
	char conf[256];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(conf, sizeof conf, GOOD "variables = %s\n", bad[i]);
		refused_conf(conf, "wrong variables");
	}
}

static void test_lists_that_are_no_files(void **state)
{
	(void)state;
	unlink(in_folder("packages"));
	refused("packages", "No such file");
	assert_int_equal(symlink("/etc/passwd", in_folder("packages")), 0);
	refused("packages", "symbolic link");
	unlink(in_folder("packages"));
	assert_int_equal(mkfifo(in_folder("packages"), 0600), 0); /* nobody waits for a writer */
	refused("packages", "no file");
	unlink(in_folder("packages"));
	assert_int_equal(mkdir(in_folder("packages"), 0700), 0);
	refused("packages", "no file");
	rmdir(in_folder("packages"));
	put("packages", "");
	assert_int_equal(truncate(in_folder("packages"), 1 << 20), 0);
	refused("packages", "too large");
	put("packages", "");
	unlink(in_folder("modules"));
	refused("modules", "No such file");
	put("modules", "");
	unlink(in_folder("environment.conf"));
	refused("environment.conf", "No such file");
}

/* Whatever is cut out of, put into or changed in a good one: it is read or refused with a reason. */
static void test_broken_ones(void **state)
{
	static const char good[] = "# one\n" GOOD "description = d\npreload = numpy\n"
				   "variables = A=1 B=2\nwarm_up = on\nwall_ms = 7000\n";
	static const char bytes[] = { '\0', '\n', '=', ' ', '\xff', '9', 'A', '\r' };
	uint32_t random = 1;
	size_t read = 0, wrong = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char text[sizeof good];
		size_t length = sizeof good - 1;
		struct manifest manifest;
		char error[MANIFEST_ERROR_BYTES] = "";

		memcpy(text, good, sizeof good);
		for (int change = round % 4; change >= 0; change--) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % length] = bytes[(random >> 28) % sizeof bytes];
		}
		if (round % 5 == 0)
			length = (random >> 12) % length;
		put_bytes("environment.conf", text, length);
		if (manifest_read(folder, &manifest, error)) {
			assert_true(*error);
			wrong++;
		} else {
			assert_true(environment_name_valid(manifest.name, strlen(manifest.name)));
			assert_string_equal(manifest.python, PYTHON_VERSION);
			read++;
		}
		manifest_free(&manifest);
	}
	assert_true(read > 100);
	assert_true(wrong > 100);
}

static void test_a_very_long_line(void **state)
{
	const size_t length = 1 << 20;
	char *text = malloc(length + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', length);
	text[length] = '\0';
	refused_conf(text, "expected name = value");
	memcpy(text, "name = ", 7);
	refused_conf(text, "wrong name");
	free(text);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		IN_FOLDER(test_all_that_it_may_say),
		IN_FOLDER(test_defaults),
		IN_FOLDER(test_its_limits_take_the_place_of_the_profile_s),
		IN_FOLDER(test_modules_by_their_whole_name),
		IN_FOLDER(test_wrong_settings),
		IN_FOLDER(test_variables_that_are_not_its_own),
		IN_FOLDER(test_lists_that_are_no_files),
		IN_FOLDER(test_broken_ones),
		IN_FOLDER(test_a_very_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
