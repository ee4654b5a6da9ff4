/* Control groups, against the real hierarchy of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor/cgroup/cgroup.h"
#include "executor/cgroup/cgroup_files.h"

static struct cgroup_tree *tree;
static char name[64];
static const struct cgroup_limits limits = { .memory_bytes = 32 << 20,
					     .processes = 4,
					     .cpu_percent = 100 };

static int set_up(void **state)
{
	char message[CGROUP_MESSAGE_BYTES];

	(void)state;
	snprintf(name, sizeof name, "vivarium-unit-%d", (int)getpid());
	tree = NULL;
	if (geteuid() != 0 || cgroup_tree_open("", name, &tree, message)) {
		print_message("no usable control groups here: %s\n",
			      geteuid() ? "not root" : message);
		tree = NULL;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cgroup_tree_close(tree);
	return 0;
}

static void need_tree(void)
{
	if (!tree)
		skip();
}

static void wait_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static struct cgroup *make(const char *child)
{
	struct cgroup *cgroup = NULL;

	assert_int_equal(cgroup_create(tree, child, &limits, &cgroup), 0);
	return cgroup;
}

/* The last processes leave a group a moment after they were reaped. */
static void destroy(struct cgroup *cgroup)
{
	int error = -EBUSY;

	for (int i = 0; error && i < 2000; i++) {
		error = cgroup_destroy(cgroup);
		if (error)
			wait_a_moment();
	}
	assert_int_equal(error, 0);
}

static void join(const struct cgroup *cgroup)
{
	int doors[CGROUP_DOORS_MAX];
	int count = cgroup_open_doors(cgroup, doors);

	if (count <= 0)
		_exit(1);
	for (int i = 0; i < count; i++)
		if (write(doors[i], "0", 1) != 1 || close(doors[i]))
			_exit(1);
}

/* A child that is in the group. */
static pid_t start(const struct cgroup *cgroup, void (*body)(void))
{
	int joined[2];
	char byte;

	assert_int_equal(pipe(joined), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		join(cgroup);
		(void)!write(joined[1], "x", 1);
		body();
		_exit(0);
	}
	close(joined[1]);
	assert_int_equal(read(joined[0], &byte, 1), 1);
	close(joined[0]);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void kill_members(const struct cgroup *cgroup)
{
	pid_t members[64];
	long count = cgroup_list(cgroup, members, 64);

	for (long i = 0; i < count; i++)
		kill(members[i], SIGKILL);
}

static void eat_memory(void)
{
	for (;;) {
		volatile char *bytes = malloc(1 << 20);

		for (size_t i = 0; bytes && i < 1 << 20; i += 4096)
			bytes[i] = 1;
	}
}

static void fork_for_ever(void)
{
	for (int i = 0; i < 20; i++)
		if (fork() == 0)
			pause();
	pause();
}

static void burn(void)
{
	clock_t end = clock() + CLOCKS_PER_SEC / 20;

	while (clock() < end)
		;
}

static void test_memory(void **state)
{
	struct cgroup_usage usage;
	int status;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("memory");
	pid_t pid = start(cgroup, eat_memory);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	assert_true(usage.oom_kills >= 1);
	assert_true(usage.memory_peak_bytes <= limits.memory_bytes);
	assert_true(usage.memory_peak_bytes > limits.memory_bytes / 2);
	destroy(cgroup);
}

static void test_processes_and_members(void **state)
{
	struct cgroup_usage usage = { 0 };
	pid_t members[64];
	long count = 0;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("pids");
	pid_t pid = start(cgroup, fork_for_ever);
	for (int i = 0; !usage.forks_refused && i < 2000; i++) {
		wait_a_moment();
		assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	}
	assert_true(usage.forks_refused > 0);
	count = cgroup_list(cgroup, members, 64);
	assert_int_equal(count, (long)limits.processes);
	assert_int_equal(cgroup_list(cgroup, members, 1), 1);
	assert_true(cgroup_destroy(cgroup) == -EBUSY); /* and it is still there */
	assert_int_equal(cgroup_list(cgroup, members, 64), count);
	kill_members(cgroup);
	waitpid(pid, NULL, 0);
	destroy(cgroup);
}

static void test_forbidden_forks(void **state)
{
	pid_t members[8];

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("forbidden");
	assert_int_equal(cgroup_limit_processes(cgroup, 0), 0);
	pid_t pid = start(cgroup, fork_for_ever);
	struct cgroup_usage usage = { 0 };
	for (int i = 0; !usage.forks_refused && i < 2000; i++) {
		wait_a_moment();
		assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	}
	assert_true(usage.forks_refused > 0);
	assert_int_equal(cgroup_list(cgroup, members, 8), 1);
	assert_int_equal(cgroup_limit(cgroup, &limits), 0); /* lifts it */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = start(cgroup, fork_for_ever);
	long count = 0;
	for (int i = 0; count < 4 && i < 2000; i++) {
		wait_a_moment();
		count = cgroup_list(cgroup, members, 8);
	}
	assert_int_equal(count, 4);
	kill_members(cgroup);
	waitpid(pid, NULL, 0);
	destroy(cgroup);
}

static void test_cpu_time(void **state)
{
	struct cgroup_usage before, after;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("cpu");
	assert_int_equal(cgroup_read_usage(cgroup, &before), 0);
	end(start(cgroup, burn));
	assert_int_equal(cgroup_read_usage(cgroup, &after), 0);
	assert_true(after.cpu_us - before.cpu_us >= 45000);
	assert_true(after.cpu_us - before.cpu_us < 1000000);
	destroy(cgroup);
}

/* Both directions, where v1 wants two files written in an order that depends. */
static void test_limits_change(void **state)
{
	struct cgroup_limits changed = limits;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("change");
	for (int i = 0; i < 3; i++) {
		changed.memory_bytes = 256 << 20;
		assert_int_equal(cgroup_limit(cgroup, &changed), 0);
		changed.memory_bytes = 16 << 20;
		assert_int_equal(cgroup_limit(cgroup, &changed), 0);
	}
	destroy(cgroup);
}

/* -- used again -------------------------------------------------------------------------- */

/* Of the directory in which the process limit is; 0: there is none. */
static ino_t inode(const char *child)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/pids",
					      "/sys/fs/cgroup/unified" };
	struct stat info;
	char path[256];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(path, sizeof path, "%s/%s/%s/pids.max", places[i], name, child);
		if (!stat(path, &info))
			return info.st_ino;
	}
	return 0;
}

static void assert_new(const struct cgroup *cgroup)
{
	struct cgroup_usage usage;
	uint64_t cpu_us, peak;

	assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	assert_int_equal(usage.cpu_us, 0);
	assert_int_equal(usage.oom_kills, 0);
	assert_int_equal(usage.forks_refused, 0);
	assert_true(usage.memory_bytes <= 1 << 20);
	assert_true(usage.memory_peak_bytes <= 1 << 20);
	assert_int_equal(cgroup_read_meters(cgroup, &cpu_us, &peak), 0);
	assert_int_equal(cpu_us, 0);
	assert_true(peak <= 1 << 20);
}

/* All that counts, and both limits met; fewer processes and less memory than at first. */
static void use_up(struct cgroup *cgroup)
{
	struct cgroup_usage usage = { 0 };
	struct cgroup_limits less = limits;
	pid_t members[8];

	less.memory_bytes /= 2;
	assert_int_equal(cgroup_limit(cgroup, &less), 0);
	end(start(cgroup, burn));
	waitpid(start(cgroup, eat_memory), NULL, 0);
	assert_int_equal(cgroup_limit_processes(cgroup, 0), 0);
	pid_t pid = start(cgroup, fork_for_ever);
	for (int i = 0; !usage.forks_refused && i < 2000; i++) {
		wait_a_moment();
		assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	}
	assert_true(usage.forks_refused > 0 && usage.oom_kills > 0 && usage.cpu_us > 40000);
	assert_int_equal(cgroup_list(cgroup, members, 8), 1);
	assert_int_equal(cgroup_weigh(cgroup, 1), 0);
	assert_int_equal(cgroup_hold_cpu(cgroup, 1), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_used_again(void **state)
{
	(void)state;
	need_tree();
	struct cgroup *cgroup = make("again");
	ino_t first = inode("again");
	assert_true(first);
	end(start(cgroup, burn));
	destroy(cgroup);
	bool kept = inode("again") == first; /* where the memory peak can be reset */
	cgroup = make("again");
	assert_true(kept ? inode("again") == first : inode("again") > first);
	assert_new(cgroup);
	destroy(cgroup);
}

/* Whether it is the same one or not: no limit and no counter is as the last one left it. */
static void test_new_after_the_worst(void **state)
{
	struct cgroup_usage usage;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("worst");
	use_up(cgroup);
	destroy(cgroup);
	cgroup = make("worst");
	assert_new(cgroup);
	/* its limits are the first ones again: forks, memory, a whole CPU */
	pid_t pid = start(cgroup, fork_for_ever);
	for (int i = 0; cgroup_count_tasks(cgroup) < 4 && i < 2000; i++)
		wait_a_moment();
	assert_int_equal(cgroup_count_tasks(cgroup), 4);
	kill_members(cgroup);
	waitpid(pid, NULL, 0);
	end(start(cgroup, burn));
	waitpid(start(cgroup, eat_memory), NULL, 0);
	assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	assert_true(usage.oom_kills >= 1 && usage.memory_peak_bytes > limits.memory_bytes / 2);
	destroy(cgroup);
}

static void test_many(void **state)
{
	char child[32];

	(void)state;
	need_tree();
	for (int i = 0; i < 100; i++) { /* more than are kept */
		snprintf(child, sizeof child, "trim-%d", i);
		destroy(make(child));
	}
	struct cgroup *used = make("trim-1");
	cgroup_tree_trim(tree);
	for (int i = 0; i < 100; i++) {
		snprintf(child, sizeof child, "trim-%d", i);
		assert_true((inode(child) != 0) == (i == 1));
	}
	destroy(used);
	cgroup_tree_trim(tree);
	assert_int_equal(inode("trim-1"), 0);
}

/* What a killed daemon left, with processes in it, does not stand in the way. */
static void test_left_overs_are_purged(void **state)
{
	char message[CGROUP_MESSAGE_BYTES];
	struct cgroup_tree *again = NULL;
	int status;

	(void)state;
	need_tree();
	struct cgroup *cgroup = make("left");
	pid_t pid = start(cgroup, fork_for_ever);
	assert_int_equal(cgroup_tree_open("", name, &again, message), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_string_equal(cgroup_tree_version(again), cgroup_tree_version(tree));
	assert_int_equal(cgroup_destroy(cgroup), 0); /* it is gone already, which is as good */
	cgroup_tree_close(again);
}

static void test_without_any(void **state)
{
	struct cgroup_usage usage = { .cpu_us = 1 };
	int doors[CGROUP_DOORS_MAX];
	struct cgroup_tree *none = NULL;
	struct cgroup *cgroup = NULL;
	pid_t pid;

	(void)state;
	assert_int_equal(cgroup_tree_none(&none), 0);
	assert_string_equal(cgroup_tree_version(none), "none");
	assert_int_equal(cgroup_create(none, "x", &limits, &cgroup), 0);
	assert_int_equal(cgroup_open_doors(cgroup, doors), 0);
	assert_int_equal(cgroup_limit(cgroup, &limits), 0);
	assert_int_equal(cgroup_limit_processes(cgroup, 0), 0);
	assert_int_equal(cgroup_read_usage(cgroup, &usage), 0);
	assert_int_equal(usage.cpu_us, 0);
	assert_int_equal(cgroup_list(cgroup, &pid, 1), 0);
	assert_int_equal(cgroup_destroy(cgroup), 0);
	cgroup_tree_close(none);
}

static void test_reading_files(void **state)
{
	char folder[] = "/tmp/cgroup-XXXXXX";
	uint64_t number = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	int dir = open(folder, O_DIRECTORY | O_RDONLY);
	int fd = openat(dir, "events", O_CREAT | O_WRONLY, 0600);
	dprintf(fd, "low 0\noom 3\noom_kill 12\nmax 18446744073709551615\n");
	close(fd);
	assert_int_equal(cgroup_read_key(dir, "events", "oom_kill", &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(cgroup_read_key(dir, "events", "oom", &number), 0);
	assert_int_equal(number, 3);
	assert_int_equal(cgroup_read_key(dir, "events", "kill", &number), -ENOENT);
	assert_int_equal(cgroup_read_key(dir, "nothing", "x", &number), -ENOENT);
	assert_int_equal(cgroup_read_number(dir, "nothing", &number), -ENOENT);
	assert_int_equal(cgroup_write(dir, "nothing", "x"), -ENOENT); /* never made */
	assert_int_equal(cgroup_purge(dir, "nothing"), 0);
	unlinkat(dir, "events", 0);
	close(dir);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_processes_and_members),
		cmocka_unit_test(test_forbidden_forks),
		cmocka_unit_test(test_cpu_time),
		cmocka_unit_test(test_limits_change),
		cmocka_unit_test(test_used_again),
		cmocka_unit_test(test_new_after_the_worst),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_left_overs_are_purged),
		cmocka_unit_test(test_without_any),
		cmocka_unit_test(test_reading_files),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
