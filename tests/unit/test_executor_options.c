/* Settings from all sources, and profiles with limits that only go down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fields.h"
#include "executor/options.h"
#include "common/owned.h"
#include "executor/run/profile.h"

static struct options options;

/* Parse with these arguments; what it printed on stderr goes to message[]. */
static int parse(char message[1024], const char *first, const char *second, const char *third)
{
	char *arguments[] = { (char *)"executor", (char *)(size_t)first, (char *)(size_t)second,
			      (char *)(size_t)third, NULL };
	int pipes[2], kept = dup(2);

	assert_int_equal(pipe(pipes), 0);
	fflush(stderr);
	dup2(pipes[1], 2);
	close(pipes[1]);
	int action = options_parse(arguments, &options);
	fflush(stderr);
	dup2(kept, 2);
	close(kept);
	ssize_t got = read(pipes[0], message, 1023);
	message[got > 0 ? got : 0] = '\0';
	close(pipes[0]);
	return action;
}

static void write_file(char path[32], const char *text)
{
	strcpy(path, "/tmp/options-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void test_defaults(void **state)
{
	char message[1024];

	(void)state;
	assert_int_equal(parse(message, NULL, NULL, NULL), OPTIONS_SERVE);
	assert_string_equal(message, "");
	assert_string_equal(options.socket, "/run/vivarium/executor.sock");
	assert_false(options.allow_no_cgroups);
	assert_int_equal(profiles[PROFILE_STRICT].limits.wall_ms, 2000);
	assert_int_equal(profiles[PROFILE_STRICT].limits.memory_bytes, 100 << 20);
	assert_int_equal(profiles[PROFILE_STRICT].sessions, 40);
	assert_int_equal(profiles[PROFILE_STRICT].session.idle_ms, 60000);
	assert_true(profiles[PROFILE_STRICT].readonly);
	assert_int_equal(profiles[PROFILE_PLAYGROUND].limits.wall_ms, 10000);
	assert_int_equal(profiles[PROFILE_PLAYGROUND].limits.output_bytes, 1 << 20);
	options_free(&options);
}

static void test_later_sources_win(void **state)
{
	char message[1024], path[32];

	(void)state;
	write_file(path, "# a comment\n\nrunning = 3\nqueue=4\n  pool  =  5  \n");
	setenv("EXECUTOR_QUEUE", "40", 1);
	setenv("EXECUTOR_POOL", "50", 1);
	assert_int_equal(parse(message, "--config", path, "--pool=60"), OPTIONS_SERVE);
	assert_int_equal(options.running, 3);
	assert_int_equal(options.queue, 40);
	assert_int_equal(options.pool, 60);
	options_free(&options);
	unsetenv("EXECUTOR_QUEUE");
	unsetenv("EXECUTOR_POOL");
	unlink(path);
}

static void check_file(const char *text, const char *place, const char *why)
{
	char message[1024], path[32];

	write_file(path, text);
	assert_int_equal(parse(message, "--check-config", "--config", path), -2);
	assert_non_null(strstr(message, place));
	assert_non_null(strstr(message, why));
	assert_non_null(strstr(message, path));
	unlink(path);
}

static void test_errors_name_the_line(void **state)
{
	(void)state;
	check_file("pool = 2\n\nnothing_like_it = 1\n", "line 3:", "nothing_like_it");
	check_file("pool = 0\n", "line 1:", "from 1 to 256");
	check_file("\n\n\npool = many\n", "line 4:", "\"many\"");
	check_file("pool = -1\n", "line 1:", "whole number");
	check_file("pool = 99999999999999999999999\n", "line 1:", "whole number");
	check_file("pool 5\n", "line 1:", "name = value");
	check_file("allow_no_cgroups = perhaps\n", "line 1:", "on or off");
	check_file("native_undo_depth = 16\n", "line 1:", "from 0 to 15");
	check_file("uid_base = 1000\n", "line 1:", "from 65536"); /* never real users */
}

static void test_command_line_errors(void **state)
{
	char message[1024];

	(void)state;
	assert_int_equal(parse(message, "--no-such-option", NULL, NULL), -2);
	assert_int_equal(parse(message, "stray", NULL, NULL), -2);
	assert_non_null(strstr(message, "stray"));
	assert_int_equal(parse(message, "--pool", "1000", NULL), -2);
	assert_non_null(strstr(message, "command line"));
	assert_int_equal(parse(message, "--config", "/nonexistent/file", NULL), -2);
	assert_non_null(strstr(message, "/nonexistent/file"));
	assert_int_equal(parse(message, "--doctor", NULL, NULL), OPTIONS_DOCTOR);
	options_free(&options);
}

static void test_environment_errors(void **state)
{
	char message[1024];

	(void)state;
	setenv("EXECUTOR_RUNNING", "x", 1);
	assert_int_equal(parse(message, NULL, NULL, NULL), -2);
	assert_non_null(strstr(message, "EXECUTOR_RUNNING"));
	unsetenv("EXECUTOR_RUNNING");

	setenv("EXECUTOR_RUNING", "3", 1); /* nobody may think that it counts */
	assert_int_equal(parse(message, NULL, NULL, NULL), -2);
	assert_non_null(strstr(message, "unknown setting \"EXECUTOR_RUNING\""));
	unsetenv("EXECUTOR_RUNING");
}

static void test_aliases(void **state)
{
	char message[1024];

	(void)state;
	setenv("TIMEOUT_SECONDS", "3", 1);
	setenv("MEMORY_LIMIT_MB", "64", 1);
	setenv("MAX_SESSIONS", "7", 1);
	setenv("IDLE_TIMEOUT_SECONDS", "90", 1);
	assert_int_equal(parse(message, NULL, NULL, NULL), OPTIONS_SERVE);
	assert_int_equal(profiles[PROFILE_STRICT].limits.wall_ms, 3000);
	assert_int_equal(profiles[PROFILE_STRICT].limits.memory_bytes, 64 << 20);
	assert_int_equal(profiles[PROFILE_STRICT].sessions, 7);
	assert_int_equal(profiles[PROFILE_STRICT].session.idle_ms, 90000);
	assert_int_equal(profiles[PROFILE_NATIVE].limits.wall_ms, 30000);
	options_free(&options);

	setenv("TIMEOUT_SECONDS", "soon", 1);
	assert_int_equal(parse(message, NULL, NULL, NULL), -2);
	assert_non_null(strstr(message, "TIMEOUT_SECONDS"));
	unsetenv("TIMEOUT_SECONDS");
	unsetenv("MEMORY_LIMIT_MB");
	unsetenv("MAX_SESSIONS");
	unsetenv("IDLE_TIMEOUT_SECONDS");
}

static void test_users(void **state)
{
	uid_t uid = 1;

	(void)state;
	assert_int_equal(options_find_uid("root", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(options_find_uid("12345", &uid), 0);
	assert_int_equal(uid, 12345);
	assert_int_equal(options_find_uid("no-such-user-here", &uid), -ENOENT);
	assert_int_equal(options_find_uid("", &uid), -ENOENT);
	assert_int_equal(options_find_uid("4294967295", &uid), -ENOENT); /* -1: nobody at all */
}

/* ---- limits ------------------------------------------------------------- */

static struct limits some_limits(void)
{
	return (struct limits){ 1000, 1000, 64 << 20, 1000, 10, 20, 1 << 20, 1 << 20, 100 };
}

static void test_profiles_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(profile_find("strict", 6), &profiles[PROFILE_STRICT]);
	assert_null(profile_find("strictest", 9));
	assert_null(profile_find("stric", 5));
	assert_null(profile_find("", 0));
}

static void test_limits_go_down(void **state)
{
	AUTO_BUFFER request = BUFFER_INIT(0), all = BUFFER_INIT(0);
	struct limits base = some_limits(), got;
	struct limit_error error;

	(void)state;
	assert_int_equal(limits_lower(&base, NULL, 0, &got, &error), 0);
	assert_memory_equal(&got, &base, sizeof got);
	fields_put_number(&request, FIELD_WALL_MS, 500);
	fields_put_number(&request, FIELD_PROCESSES, 10);
	assert_int_equal(limits_lower(&base, request.data, request.length, &got, &error), 0);
	assert_int_equal(got.wall_ms, 500);
	assert_int_equal(got.processes, 10);
	assert_int_equal(got.cpu_ms, 1000);
	assert_int_equal(limits_put(&got, &all), 0);
	assert_int_equal(fields_number(all.data, all.length, FIELD_WALL_MS, 0), 500);
	assert_int_equal(fields_number(all.data, all.length, FIELD_WORKSPACE_INODES, 0), 100);
}

static void check_refused(unsigned field, uint64_t value, uint64_t most)
{
	AUTO_BUFFER request = BUFFER_INIT(0);
	struct limits base = some_limits(), got = { .wall_ms = 77 };
	struct limit_error error = { 0 };

	fields_put_number(&request, field, value);
	assert_int_equal(limits_lower(&base, request.data, request.length, &got, &error), -EINVAL);
	assert_int_equal(error.field, field);
	assert_int_equal(error.most, most);
	assert_int_equal(got.wall_ms, 77); /* untouched */
}

static void test_limits_do_not_go_up_or_away(void **state)
{
	(void)state;
	check_refused(FIELD_WALL_MS, 1001, 1000);
	check_refused(FIELD_WALL_MS, 0, 1000);
	check_refused(FIELD_WALL_MS, UINT64_MAX, 1000);
	check_refused(FIELD_MEMORY_BYTES, (64 << 20) + 1, 64 << 20);
	check_refused(FIELD_MEMORY_BYTES, 0, 64 << 20);
	check_refused(FIELD_WORKSPACE_INODES, 101, 100);
	check_refused(FIELD_OPEN_FILES, 0, 20);
}

static void test_defaults_are_moved_to_what_is_allowed(void **state)
{
	AUTO_BUFFER defaults = BUFFER_INIT(0), request = BUFFER_INIT(0);
	struct limits base = some_limits(), got;
	struct limit_error error;

	(void)state;
	fields_put_number(&defaults, FIELD_WALL_MS, 30000);
	fields_put_number(&defaults, FIELD_CPU_MS, 700);
	fields_put_number(&defaults, FIELD_OPEN_FILES, 0);
	fields_put_bytes(&request, FIELD_DEFAULTS, defaults.data, defaults.length);
	assert_int_equal(limits_lower(&base, request.data, request.length, &got, &error), 0);
	assert_int_equal(got.wall_ms, 1000);
	assert_int_equal(got.cpu_ms, 700);
	assert_int_equal(got.open_files, 16);
	fields_put_number(&request, FIELD_CPU_MS, 800); /* asked for: no default */
	assert_int_equal(limits_lower(&base, request.data, request.length, &got, &error), 0);
	assert_int_equal(got.cpu_ms, 800);
	fields_put_number(&request, FIELD_WALL_MS, 30000);
	assert_int_equal(limits_lower(&base, request.data, request.length, &got, &error), -EINVAL);
	assert_int_equal(error.field, FIELD_WALL_MS);
}

static void test_limits_of_sessions(void **state)
{
	const struct session_limits base = { .idle_ms = 1000,
					     .lifetime_ms = 5000,
					     .undo_depth = 3 };
	AUTO_BUFFER low = BUFFER_INIT(0), high = BUFFER_INIT(0), all = BUFFER_INIT(0);
	struct session_limits got = { .idle_ms = 77 };
	struct limit_error error = { 0 };

	(void)state;
	fields_put_number(&high, FIELD_LIFETIME_MS, 5001);
	assert_int_equal(session_limits_lower(&base, high.data, high.length, &got, &error),
			 -EINVAL);
	assert_int_equal(error.field, FIELD_LIFETIME_MS);
	assert_int_equal(error.most, 5000);
	assert_int_equal(got.idle_ms, 77); /* untouched */
	fields_put_number(&low, FIELD_IDLE_MS, 1);
	fields_put_number(&low, FIELD_UNDO_DEPTH, 0);
	assert_int_equal(session_limits_lower(&base, low.data, low.length, &got, &error), 0);
	assert_int_equal(got.idle_ms, 1);
	assert_int_equal(got.lifetime_ms, 5000);
	assert_int_equal(got.undo_depth, 0);
	assert_int_equal(session_limits_put(&got, &all), 0);
	assert_int_equal(fields_number(all.data, all.length, FIELD_LIFETIME_MS, 0), 5000);
	assert_int_equal(fields_number(all.data, all.length, FIELD_UNDO_DEPTH, 9), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_later_sources_win),
		cmocka_unit_test(test_errors_name_the_line),
		cmocka_unit_test(test_command_line_errors),
		cmocka_unit_test(test_environment_errors),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_profiles_by_name),
		cmocka_unit_test(test_limits_go_down),
		cmocka_unit_test(test_limits_do_not_go_up_or_away),
		cmocka_unit_test(test_defaults_are_moved_to_what_is_allowed),
		cmocka_unit_test(test_limits_of_sessions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
