/* Names that came from a client, beneath a root that somebody else may change. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/files/files.h"

/* A root, and beside it what must never be reached. */
static char directory[] = "/tmp/fcgi-files-XXXXXX";
static int root_fd;

static struct files_path path_of(const char *text)
{
	struct files_path path;

	assert_int_equal(files_path_set(text_of(text), &path), 0);
	return path;
}

static int put(const char *name, const char *content)
{
	struct files_path path = path_of(name);

	return files_write(root_fd, &path, content, strlen(content),
			   (struct files_write){ .make_directories = true });
}

static int read_into(const char *name, struct buffer *bytes)
{
	struct files_path path = path_of(name);

	return files_read(root_fd, &path, 1000, bytes);
}

static void content_is(const char *name, const char *expected)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);

	assert_int_equal(read_into(name, &bytes), 0);
	assert_int_equal(bytes.length, strlen(expected));
	assert_memory_equal(bytes.data, expected, bytes.length);
}

static void read_fails(const char *name, int expected)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);

	assert_int_equal(read_into(name, &bytes), expected);
	assert_null(bytes.data);
}

static void path_is(const char *text, const char *expected)
{
	struct files_path path;

	assert_int_equal(files_path_set(text_of(text), &path), 0);
	assert_string_equal(path.text, expected);
	assert_string_equal(path.text + path.name_at,
			    strrchr(expected, '/') ? strrchr(expected, '/') + 1 : expected);
}

static void path_refused(const char *text, int expected)
{
	struct files_path path;

	assert_int_equal(files_path_set(text_of(text), &path), expected);
}

static void test_paths(void **state)
{
	char long_name[300], long_path[5000];
	struct files_path path;

	(void)state;
	path_is("a", "a");
	path_is("a/b.c/d", "a/b.c/d");
	path_is("./a//b/./c", "a/b/c");
	path_is("a/../b", "b");
	path_is("a/b/../../c", "c");
	path_is("...", "...");
	path_is("a\\..\\b", "a\\..\\b");
	path_refused("", -EINVAL);
	path_refused("/", -EINVAL);
	path_refused("/etc/passwd", -EINVAL);
	path_refused(".", -EINVAL);
	path_refused("..", -EINVAL);
	path_refused("../a", -EINVAL);
	path_refused("a/../..", -EINVAL);
	path_refused("a/../../b", -EINVAL);
	path_refused("a/", -EINVAL);
	path_refused("a/.", -EINVAL);
	path_refused("a/b/..", -EINVAL);
	path_refused("a\xff", -EINVAL);
	assert_int_equal(files_path_set(TEXT("a\0b"), &path), -EINVAL);
	assert_int_equal(files_path_set((struct text){ 0 }, &path), -EINVAL);
	memset(long_name, 'a', sizeof long_name);
	assert_int_equal(files_path_set((struct text){ long_name, 255 }, &path), 0);
	assert_int_equal(files_path_set((struct text){ long_name, 256 }, &path), -ENAMETOOLONG);
	for (size_t i = 0; i < sizeof long_path; i++)
		long_path[i] = i % 2 ? '/' : 'a';
	assert_int_equal(files_path_set((struct text){ long_path, 4999 }, &path), -ENAMETOOLONG);
}

static void test_names(void **state)
{
	static const char *const refused[] = { "",     ".",    "..",   ".a",    "a/b",  "a\\b",
					       "a\nb", "\x7f", "a\tb", "\x1b[", "\xff", "/" };

	(void)state;
	assert_true(files_name_valid(TEXT("a.py")));
	assert_true(files_name_valid(TEXT("h\xc3\xa9 -*?.py")));
	assert_true(files_name_valid(TEXT("-rf")));
	assert_false(files_name_valid(TEXT("a\0")));
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_false(files_name_valid(text_of(refused[i])));
}

static void test_write_read_replace_remove(void **state)
{
	struct files_path path = path_of("one");

	(void)state;
	assert_int_equal(put("one", "first"), 0);
	content_is("one", "first");
	assert_int_equal(put("one", ""), 0);
	content_is("one", "");
	assert_int_equal(put("deep/er/two", "x"), 0);
	content_is("deep/er/two", "x");
	assert_int_equal(files_exists(root_fd, &path), 1);
	assert_int_equal(files_remove(root_fd, &path, (struct files_remove){ .durable = true }), 0);
	assert_int_equal(files_remove(root_fd, &path, (struct files_remove){ .durable = true }),
			 -ENOENT);
	assert_int_equal(files_exists(root_fd, &path), 0);
	read_fails("one", -ENOENT);
}

static void test_no_directories_unless_asked(void **state)
{
	struct files_path path = path_of("no/such/file");

	(void)state;
	assert_int_equal(files_write(root_fd, &path, "x", 1, (struct files_write){ 0 }), -ENOENT);
	assert_int_equal(put("plain", "x"), 0);
	assert_int_equal(put("plain/below", "x"), -ENOTDIR);
	assert_int_equal(put("deep", "x"), -EISDIR);
	read_fails("deep", -EISDIR);
}

static void test_links_lead_nowhere(void **state)
{
	struct files_path path = path_of("link");

	(void)state;
	assert_int_equal(symlinkat("../secret", root_fd, "link"), 0);
	assert_int_equal(symlinkat("..", root_fd, "up"), 0);
	assert_int_equal(symlinkat("/", root_fd, "top"), 0);
	assert_int_equal(symlinkat("/proc/self/environ", root_fd, "magic"), 0);
	assert_int_equal(symlinkat("loop", root_fd, "loop"), 0);
	read_fails("link", -ELOOP);
	read_fails("up/secret", -ELOOP);
	read_fails("top/etc/passwd", -ELOOP);
	read_fails("magic", -ELOOP);
	read_fails("loop", -ELOOP);
	assert_int_equal(put("up/planted", "x"), -ENOTDIR);
	assert_int_equal(put("top/tmp/planted", "x"), -ENOTDIR);
	assert_int_equal(put("link", "mine"), 0); /* replaces the link itself */
	content_is("link", "mine");
	assert_int_equal(files_remove(root_fd, &path, (struct files_remove){ 0 }), 0);
	assert_int_equal(faccessat(root_fd, "../secret", F_OK, 0), 0);
	assert_int_equal(faccessat(root_fd, "../planted", F_OK, 0), -1);
}

static void test_nothing_waits(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(root_fd, "pipe", 0600), 0);
	read_fails("pipe", -EINVAL);
	assert_int_equal(put("pipe/x", "x"), -ENOTDIR);
	assert_int_equal(put("pipe", "x"), 0);
	content_is("pipe", "x");
}

static void test_large_and_sparse_files(void **state)
{
	char content[1001];
	int fd = openat(root_fd, "sparse", O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	close(fd);
	read_fails("sparse", -EFBIG);
	memset(content, 'x', 1000);
	content[1000] = '\0';
	assert_int_equal(put("most", content), 0);
	content_is("most", content);
	fd = openat(root_fd, "most", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "y", 1), 1);
	close(fd);
	read_fails("most", -EFBIG);
	unlinkat(root_fd, "sparse", 0);
}

static void test_list(void **state)
{
	struct files_entry *entries;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	size_t count;
	int list_fd;

	(void)state;
	assert_int_equal(put("list/b", "22"), 0);
	assert_int_equal(put("list/a", "1"), 0);
	assert_int_equal(put("list/.hidden", "1"), 0);
	assert_int_equal(put("list/sub/c", "1"), 0);
	list_fd = openat(root_fd, "list", O_RDONLY | O_DIRECTORY);
	assert_int_equal(symlinkat("a", list_fd, "link"), 0);
	assert_int_equal(utimensat(list_fd, "a", old, 0), 0);
	assert_int_equal(files_list(list_fd, 10, &entries, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(entries[0].name, "b");
	assert_int_equal(entries[0].size, 2);
	assert_string_equal(entries[1].name, "a");
	assert_int_equal(entries[1].modified.tv_sec, 1000);
	files_entries_free(entries, count);
	assert_int_equal(files_list(list_fd, 1, &entries, &count), 0);
	assert_int_equal(count, 1);
	files_entries_free(entries, count);
	close(list_fd);
}

static void test_leftovers(void **state)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	(void)state;
	for (int i = 0; i < 2; i++)
		close(openat(root_fd, i ? ".vivarium-new" : ".vivarium-old", O_CREAT | O_WRONLY,
			     0600));
	assert_int_equal(utimensat(root_fd, ".vivarium-old", old, 0), 0);
	files_clean(root_fd);
	assert_int_equal(faccessat(root_fd, ".vivarium-old", F_OK, 0), -1);
	assert_int_equal(faccessat(root_fd, ".vivarium-new", F_OK, 0), 0);
	unlinkat(root_fd, ".vivarium-new", 0);
}

static bool nothing_there(const void *context, const struct stat *found)
{
	(void)context;
	return !found;
}

static void test_conditions(void **state)
{
	const struct files_condition only_new = { nothing_there, NULL };
	struct files_path path = path_of("cond");
	struct stat written, found;
	bool replaced = true;

	(void)state;
	assert_int_equal(files_write(root_fd, &path, "1", 1,
				     (struct files_write){ .only_if = &only_new,
							   .ret_written = &written,
							   .ret_replaced = &replaced }),
			 0);
	assert_false(replaced);
	assert_int_equal(fstatat(root_fd, "cond", &found, 0), 0);
	assert_int_equal(found.st_ino, written.st_ino);
	assert_int_equal(found.st_mtim.tv_nsec, written.st_mtim.tv_nsec);
	assert_int_equal(
		files_write(root_fd, &path, "2", 1, (struct files_write){ .only_if = &only_new }),
		-ESTALE);
	content_is("cond", "1");
	assert_int_equal(
		files_remove(root_fd, &path, (struct files_remove){ .only_if = &only_new }),
		-ESTALE);
	assert_int_equal(
		files_write(root_fd, &path, "3", 1,
			    (struct files_write){ .executable = true, .ret_replaced = &replaced }),
		0);
	assert_true(replaced);
	assert_int_equal(fstatat(root_fd, "cond", &found, 0), 0);
	assert_int_equal(found.st_mode & 0777, 0755);
}

static int rename_to(const char *from, const char *to, bool replace)
{
	struct files_path old = path_of(from), new = path_of(to);

	return files_rename(root_fd, &old, &new,
			    (struct files_rename){ .make_directories = true, .replace = replace });
}

static void test_rename(void **state)
{
	(void)state;
	assert_int_equal(put("ren/a", "a"), 0);
	assert_int_equal(put("ren/b", "b"), 0);
	assert_int_equal(rename_to("ren/a", "ren/b", false), -EEXIST);
	content_is("ren/b", "b");
	assert_int_equal(rename_to("ren/a", "ren/b", true), 0);
	content_is("ren/b", "a");
	assert_int_equal(rename_to("ren/b", "ren/new/er/c", false), 0);
	content_is("ren/new/er/c", "a");
	assert_int_equal(rename_to("ren", "ren/new/ren", false), -EINVAL);
	assert_int_equal(rename_to("ren/none", "made/none", false), -ENOENT);
	assert_int_equal(faccessat(root_fd, "made", F_OK, 0), -1);
	assert_int_equal(rename_to("ren/new/er/c", "ren/new/er/c/d", false), -ENOTDIR);
	assert_int_equal(rename_to("ren", "ren2", false), 0);
	content_is("ren2/new/er/c", "a");
	/* a link is renamed itself */
	assert_int_equal(symlinkat("../secret", root_fd, "rl"), 0);
	assert_int_equal(rename_to("rl", "rl2", true), 0);
	read_fails("rl2", -ELOOP);
	assert_int_equal(rename_to("cond", "rl2", true), 0);
	content_is("rl2", "3");
}

/* Deeper than any path, as a program makes it step by step. */
static void make_deep(const char *name)
{
	int at = openat(root_fd, ".", O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(at, i ? "d" : name, 0700), 0);
		int next = openat(at, i ? "d" : name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(at);
		at = next;
		close(openat(at, "f", O_CREAT | O_WRONLY, 0400));
	}
	close(at);
}

static void test_trees(void **state)
{
	const struct files_tree_limits limits = { .recursive = true,
						  .most_nodes = 100000,
						  .most_path_bytes = 64 << 20 };
	struct files_path path = path_of("tree");
	struct files_tree tree;

	(void)state;
	assert_int_equal(put("tree/b/c", "22"), 0);
	assert_int_equal(put("tree/a", "1"), 0);
	assert_int_equal(symlinkat("/", root_fd, "tree/top"), 0);
	assert_int_equal(files_tree_read(root_fd, &path, &limits, &tree), 0);
	assert_int_equal(tree.count, 4);
	assert_string_equal(tree.nodes[0].path, "tree/a");
	assert_string_equal(tree.nodes[1].path, "tree/b");
	assert_string_equal(tree.nodes[2].path, "tree/b/c");
	assert_int_equal(tree.nodes[2].size, 2);
	assert_true(S_ISLNK(tree.nodes[3].mode));
	files_tree_free(&tree);
	assert_int_equal(files_tree_read(root_fd, &path,
					 &(struct files_tree_limits){ true, 2, 1000, 0 }, &tree),
			 0);
	assert_true(tree.cut);
	assert_int_equal(tree.count, 2);
	files_tree_free(&tree);

	assert_int_equal(files_remove_directory(root_fd, &path), -ENOTEMPTY);
	assert_int_equal(files_remove(root_fd, &path, (struct files_remove){ 0 }), -EISDIR);
	assert_int_equal(files_remove_tree(root_fd, &path), 0);
	assert_int_equal(files_remove_tree(root_fd, &path), -ENOENT);
	assert_int_equal(faccessat(root_fd, "../secret", F_OK, 0), 0);

	make_deep("tree");
	assert_int_equal(files_tree_read(root_fd, &path, &limits, &tree), 0);
	assert_true(tree.cut);
	files_tree_free(&tree);
	assert_int_equal(files_remove_tree(root_fd, &path), 0);
	assert_int_equal(faccessat(root_fd, "tree", F_OK, 0), -1);
}

static int new_root(const char *name)
{
	assert_int_equal(mkdirat(root_fd, name, 0755), 0);
	return openat(root_fd, name, O_RDONLY | O_DIRECTORY);
}

static void link_is(int fd, const char *name, const char *expected)
{
	char target[64];
	ssize_t length = readlinkat(fd, name, target, sizeof target - 1);

	assert_int_equal(length, strlen(expected));
	assert_memory_equal(target, expected, strlen(expected));
}

static void test_copy(void **state)
{
	const struct files_tree_limits limits = { .recursive = true,
						  .most_nodes = 1000,
						  .most_path_bytes = 1 << 20 };
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	int from = new_root("from"), to = new_root("to"), fd;
	struct stat one, two;

	(void)state;
	assert_int_equal(put("from/dir/file", "content"), 0);
	assert_int_equal(fchmodat(from, "dir/file", 0500, 0), 0);
	assert_int_equal(linkat(from, "dir/file", from, "twin", 0), 0);
	assert_int_equal(symlinkat("dir/file", from, "in"), 0);
	assert_int_equal(symlinkat("../dir", from, "dir/self"), 0);
	assert_int_equal(symlinkat("/workspace/dir", from, "whole"), 0);
	assert_int_equal(symlinkat("../secret", from, "out"), 0);
	assert_int_equal(symlinkat("../../to", from, "dir/out"), 0);
	assert_int_equal(symlinkat("/etc/passwd", from, "far"), 0);
	assert_int_equal(mkfifoat(from, "pipe", 0600), 0);
	fd = openat(from, "holes", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 30), 1);
	close(fd);
	assert_int_equal(utimensat(from, "dir/file", old, 0), 0);
	assert_int_equal(utimensat(from, "dir", old, 0), 0);
	assert_int_equal(fchmodat(from, "dir", 0555, 0), 0);

	assert_int_equal(files_tree_copy(from, to, &limits), 0);
	content_is("to/dir/file", "content");
	assert_int_equal(fstatat(to, "dir/file", &one, 0), 0);
	assert_int_equal(one.st_mode & 0777, 0500);
	assert_int_equal(one.st_mtim.tv_sec, 1000);
	assert_int_equal(fstatat(to, "twin", &two, 0), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(fstatat(to, "dir", &one, 0), 0);
	assert_int_equal(one.st_mode & 0777, 0555);
	assert_int_equal(one.st_mtim.tv_sec, 1000);
	link_is(to, "in", "dir/file");
	link_is(to, "dir/self", "../dir");
	link_is(to, "whole", "/workspace/dir");
	assert_int_equal(fstatat(to, "out", &one, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(to, "dir/out", &one, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(to, "far", &one, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(to, "pipe", &one, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(to, "holes", &one, 0), 0);
	assert_int_equal(one.st_size, (1 << 30) + 1);
	assert_true(one.st_blocks < 1000);
	assert_int_equal(files_tree_copy(from, to, &(struct files_tree_limits){ true, 3, 1000, 0 }),
			 -E2BIG);
	assert_int_equal(
		files_tree_copy(from, to, &(struct files_tree_limits){ true, 100, 10000, 4096 }),
		-E2BIG);
	close(from);
	close(to);
}

/* A lease would make an open that waits wait for 45 seconds. */
static void test_lease(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(put("leased", "x"), 0);
	fd = openat(root_fd, "leased", O_RDWR);
	if (fcntl(fd, F_SETLEASE, F_WRLCK)) {
		close(fd);
		skip();
	}
	signal(SIGIO, SIG_IGN);
	read_fails("leased", -EBUSY);
	close(fd);
	content_is("leased", "x");
}

/* A full disk: what was there stays, and nothing half-written is left. */
static void test_full_disk(void **state)
{
	static char large[64 << 10];
	struct files_path path = path_of("kept");
	struct files_entry *entries;
	char place[64];
	size_t count;
	int disk;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		skip();
	snprintf(place, sizeof place, "%s/root/disk", directory);
	assert_int_equal(mkdir(place, 0755), 0);
	if (mount("none", place, "tmpfs", 0, "size=32k"))
		skip();
	disk = open(place, O_RDONLY | O_DIRECTORY);
	assert_int_equal(
		files_write(disk, &path, "old", 3, (struct files_write){ .durable = true }), 0);
	assert_int_equal(files_write(disk, &path, large, sizeof large,
				     (struct files_write){ .durable = true }),
			 -ENOSPC);
	AUTO_BUFFER bytes = BUFFER_INIT(0);
	assert_int_equal(files_read(disk, &path, 1000, &bytes), 0);
	assert_int_equal(bytes.length, 3);
	assert_int_equal(files_list(disk, 10, &entries, &count), 0);
	assert_int_equal(count, 1);
	files_entries_free(entries, count);
	assert_int_equal(faccessat(disk, "kept", F_OK, 0), 0);
	assert_int_equal(
		files_write(disk, &path, "new", 3, (struct files_write){ .durable = true }), 0);
	close(disk);
	assert_int_equal(umount2(place, MNT_DETACH), 0);
}

/* ---- races -------------------------------------------------------------- */

static atomic_bool racing;

/* What a hostile program does: a directory that is a link at the next moment. */
static void *swap(void *argument)
{
	(void)argument;
	while (atomic_load(&racing)) {
		mkdirat(root_fd, "real", 0777);
		renameat(root_fd, "real", root_fd, "race");
		(void)!symlinkat("..", root_fd, "fake");
		renameat(root_fd, "race", root_fd, "aside");
		renameat(root_fd, "fake", root_fd, "race");
		unlinkat(root_fd, "race", 0);
		unlinkat(root_fd, "aside/secret", 0);
		unlinkat(root_fd, "aside", AT_REMOVEDIR);
	}
	return NULL;
}

static void test_swapped_directories(void **state)
{
	struct files_path path = path_of("race/secret");
	pthread_t thread;
	size_t written = 0;

	(void)state;
	atomic_store(&racing, true);
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		AUTO_BUFFER bytes = BUFFER_INIT(0);

		if (!files_read(root_fd, &path, 1000, &bytes))
			assert_int_not_equal(bytes.data[0], 's');
		written += !files_write(root_fd, &path, "overwritten", 11,
					(struct files_write){ .make_directories = i % 2 });
		files_remove(root_fd, &path, (struct files_remove){ 0 });
	}
	atomic_store(&racing, false);
	pthread_join(thread, NULL);
	assert_true(written > 0);

	AUTO_BUFFER secret = BUFFER_INIT(0);
	int outside = openat(root_fd, "..", O_RDONLY | O_DIRECTORY);
	struct files_path name = path_of("secret");
	assert_int_equal(files_read(outside, &name, 100, &secret), 0);
	assert_memory_equal(secret.data, "secret", 6);
	close(outside);
}

/* Two writers and a reader: whole files only. */
static void *write_many(void *argument)
{
	char content[900];

	memset(content, *(char *)argument, sizeof content);
	for (int i = 0; i < 2000; i++) {
		struct files_path path = path_of("shared");

		if (files_write(root_fd, &path, content, sizeof content, (struct files_write){ 0 }))
			return argument;
	}
	return NULL;
}

static void test_writers_do_not_mix(void **state)
{
	struct files_path path = path_of("shared");
	pthread_t one, other;
	void *failed_one, *failed_other;
	char a = 'a', b = 'b';

	(void)state;
	assert_int_equal(pthread_create(&one, NULL, write_many, &a), 0);
	assert_int_equal(pthread_create(&other, NULL, write_many, &b), 0);
	for (int i = 0; i < 2000; i++) {
		AUTO_BUFFER bytes = BUFFER_INIT(0);

		if (files_read(root_fd, &path, 1000, &bytes))
			continue;
		assert_int_equal(bytes.length, 900);
		assert_int_equal(bytes.data[0], bytes.data[899]);
	}
	pthread_join(one, &failed_one);
	pthread_join(other, &failed_other);
	assert_null(failed_one);
	assert_null(failed_other);
}

static int set_up(void **state)
{
	char path[64];
	int fd;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/secret", directory);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || write(fd, "secret", 6) != 6)
		return -1;
	close(fd);
	snprintf(path, sizeof path, "%s/root", directory);
	if (mkdir(path, 0700))
		return -1;
	root_fd = open(path, O_RDONLY | O_DIRECTORY);
	return root_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	close(root_fd);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_write_read_replace_remove),
		cmocka_unit_test(test_no_directories_unless_asked),
		cmocka_unit_test(test_links_lead_nowhere),
		cmocka_unit_test(test_nothing_waits),
		cmocka_unit_test(test_large_and_sparse_files),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_swapped_directories),
		cmocka_unit_test(test_writers_do_not_mix),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
