/* Emptying a workspace that a hostile program has filled; and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/sandbox/mounts.h"

static char base[64];
static struct workspace workspace;

static int set_up(void **state)
{
	char inside[96];

	(void)state;
	strcpy(base, "/tmp/workspace-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(inside, sizeof inside, "%s/inside", base);
	mkdir(inside, 0755);
	workspace = WORKSPACE_CLOSED;
	workspace.folder = open(inside, O_DIRECTORY | O_RDONLY);

	int outside = open(base, O_DIRECTORY | O_RDONLY);
	mkdirat(outside, "outside", 0755);
	close(openat(outside, "outside/marker", O_CREAT | O_WRONLY, 0600));
	close(outside);
	return workspace.folder < 0;
}

static int tear_down(void **state)
{
	char path[96];

	(void)state;
	close(workspace.folder);
	snprintf(path, sizeof path, "%s/outside/marker", base);
	unlink(path);
	snprintf(path, sizeof path, "%s/outside", base);
	rmdir(path);
	snprintf(path, sizeof path, "%s/inside", base);
	rmdir(path);
	return rmdir(base);
}

static int count_entries(int folder)
{
	DIR *entries = fdopendir(openat(folder, ".", O_DIRECTORY | O_RDONLY));
	int count = -2; /* . and .. */

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	closedir(entries);
	return count;
}

static void check_cleared(void)
{
	struct stat info;
	char path[96];

	assert_int_equal(workspace_clear(&workspace), 0);
	assert_int_equal(count_entries(workspace.folder), 0);
	snprintf(path, sizeof path, "%s/outside/marker", base);
	assert_int_equal(stat(path, &info), 0);
}

static void test_empty(void **state)
{
	(void)state;
	check_cleared();
}

static void test_everything_that_can_be_made(void **state)
{
	int top = workspace.folder;
	char path[96];

	(void)state;
	snprintf(path, sizeof path, "%s/outside", base);
	assert_int_equal(symlinkat(path, top, "link"), 0);
	assert_int_equal(symlinkat("../outside", top, "relative"), 0);
	assert_int_equal(symlinkat("loop", top, "loop"), 0);
	assert_int_equal(symlinkat("/", top, "root"), 0);
	assert_int_equal(mkdirat(top, "folder", 0700), 0);
	assert_int_equal(symlinkat(path, top, "folder/link"), 0);
	assert_int_equal(symlinkat("..", top, "folder/up"), 0);
	assert_int_equal(mkdirat(top, "folder/closed", 0), 0);
	assert_int_equal(mkfifoat(top, "folder/fifo", 0600), 0);
	assert_int_equal(mkfifoat(top, "fifo", 0), 0);
	assert_int_equal(mkdirat(top, "-rf", 0700), 0);
	assert_int_equal(mkdirat(top, "-rf/ \n\xff", 0700), 0);
	assert_int_equal(linkat(top, "fifo", top, "folder/hard", 0), 0);
	/* names that the clearing itself uses */
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof path, ".clear-%d", i);
		assert_int_equal(mkdirat(top, path, 0700), 0);
		snprintf(path, sizeof path, ".clear-%d/full", i);
		assert_int_equal(mkdirat(top, path, 0700), 0);
		snprintf(path, sizeof path, ".clear-%d/full/more", i);
		assert_int_equal(mkdirat(top, path, 0700), 0);
	}
	check_cleared();
}

static void make_chain(int depth, int breadth)
{
	int at = openat(workspace.folder, ".", O_DIRECTORY | O_RDONLY);

	for (int i = 0; i < depth; i++) {
		for (int j = 0; j < breadth; j++) {
			char name[16];

			snprintf(name, sizeof name, "d%d", j);
			assert_int_equal(mkdirat(at, name, 0700), 0);
			assert_int_equal(symlinkat("/tmp", at, strcat(name, "x")), 0);
		}
		int next = openat(at, "d0", O_DIRECTORY | O_RDONLY);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
}

/* Deeper than any path may be long, and than any stack would like. */
static void test_deep(void **state)
{
	(void)state;
	make_chain(5000, 1);
	check_cleared();
}

static void test_deep_and_broad(void **state)
{
	(void)state;
	make_chain(200, 20);
	check_cleared();
}

/* ---- the real file system ------------------------------------------------ */

static void test_limits(void **state)
{
	struct workspace own = WORKSPACE_CLOSED;
	char bytes[4096] = "";
	int error, written = 0, made = 0;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS)) {
		print_message("making a tmpfs takes root\n");
		skip();
	}
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	error = workspace_create(1 << 20, 64, 4711, 4712, &own);
	assert_int_equal(error, 0);
	struct stat info;
	assert_int_equal(fstat(own.folder, &info), 0);
	assert_int_equal(info.st_uid, 4711);
	assert_int_equal(info.st_gid, 4712);
	assert_int_equal(workspace_full(&own), 0);

	int fd = openat(own.folder, "big", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof bytes) == sizeof bytes)
		written++;
	assert_int_equal(errno, ENOSPC);
	assert_in_range(written, 200, 256);
	assert_int_equal(workspace_full(&own), 1);
	assert_int_equal(workspace_limit(&own, 2 << 20, 64), 0);
	assert_int_equal(workspace_full(&own), 0);
	assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
	assert_true(workspace_limit(&own, 64 << 10, 64) < 0); /* more is in use */
	close(fd);

	for (;; made++) {
		char name[16];

		snprintf(name, sizeof name, "f%d", made);
		fd = openat(own.folder, name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	assert_int_equal(errno, ENOSPC);
	assert_in_range(made, 40, 64);
	assert_int_equal(workspace_full(&own), 1);
	assert_int_equal(workspace_clear(&own), 0);
	assert_int_equal(workspace_full(&own), 0);
	assert_int_equal(count_entries(own.folder), 0);
	workspace_close(&own);
	assert_int_equal(own.folder, -1);
	workspace_close(&own); /* twice is harmless */
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(test_empty),       FOLDER_TEST(test_everything_that_can_be_made),
		FOLDER_TEST(test_deep),        FOLDER_TEST(test_deep_and_broad),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
