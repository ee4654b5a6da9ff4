/* Archives: honest ones go in and out, hostile ones are refused whole. */
#define _GNU_SOURCE
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
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/files/files.h"
#include "fcgi-app/files/tar.h"

static char directory[] = "/tmp/fcgi-tar-XXXXXX";
static int root_fd;
static const struct files_tree_limits limits = { .recursive = true,
						 .most_nodes = 1000,
						 .most_path_bytes = 1 << 20 };

/* ---- making archives ------------------------------------------------------ */

static void put_member(struct buffer *archive, const char *path, enum tar_type type,
		       const char *content)
{
	static const uint8_t zeros[TAR_BLOCK];
	struct tar_member member = {
		.path = text_of(path), .type = type, .size = strlen(content), .modified = 1000000000
	};

	assert_int_equal(tar_put_headers(archive, &member), 0);
	assert_int_equal(buffer_append(archive, content, member.size), 0);
	assert_int_equal(buffer_append(archive, zeros, tar_padding(member.size)), 0);
}

/* Change the header that begins at `at`, and make its checksum right again. */
static struct tar_header *header_at(struct buffer *archive, size_t at)
{
	assert_true(at + TAR_BLOCK <= archive->length);
	return (struct tar_header *)(void *)(archive->data + at);
}

static void sign(struct tar_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += bytes[i];
	snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
}

static int extract(const struct buffer *archive, char error[FILES_TAR_ERROR_BYTES])
{
	return files_tar_extract(root_fd, archive->data, archive->length, 100, error);
}

static bool exists(const char *path)
{
	return !faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

static void content_is(const char *path, const char *expected)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);
	struct files_path checked;

	assert_int_equal(files_path_set(text_of(path), &checked), 0);
	assert_int_equal(files_read(root_fd, &checked, 1 << 20, &bytes), 0);
	assert_int_equal(bytes.length, strlen(expected));
	assert_memory_equal(bytes.data ? bytes.data : (const uint8_t *)"", expected, bytes.length);
}

/* ---- honest ones ---------------------------------------------------------- */

static void test_in(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);
	char error[FILES_TAR_ERROR_BYTES], deep[600] = "", name[260];
	struct stat found;

	(void)state;
	memset(name, 'n', 250);
	strcpy(name + 250, ".txt");
	for (int i = 0; i < 50; i++)
		strcat(deep, "directory/");
	strcat(deep, "file");
	put_member(&archive, "./one", TAR_FILE, "first");
	put_member(&archive, ".", TAR_DIRECTORY, "");
	put_member(&archive, "dir", TAR_DIRECTORY, "");
	put_member(&archive, "dir/two", TAR_FILE, "");
	put_member(&archive, "other/three", TAR_FILE, "third");
	put_member(&archive, deep, TAR_FILE, "deep");
	put_member(&archive, name, TAR_FILE, "long name");
	assert_int_equal(extract(&archive, error), 0);
	content_is("one", "first");
	content_is("dir/two", "");
	content_is("other/three", "third");
	content_is(deep, "deep");
	content_is(name, "long name");
	assert_int_equal(fstatat(root_fd, "one", &found, 0), 0);
	assert_int_equal(found.st_mtime, 1000000000);
	assert_int_equal(found.st_mode & 07777, 0644);
	assert_int_equal(extract(&archive, error), 0); /* again, over itself */
}

static int collect(void *context, const void *bytes, size_t length)
{
	return buffer_append(context, bytes, length);
}

static void test_out_and_in_again(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);
	char error[FILES_TAR_ERROR_BYTES];
	struct files_tar *tar;
	uint64_t length;

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", root_fd, "link"), 0);
	assert_int_equal(mkfifoat(root_fd, "pipe", 0600), 0);
	assert_int_equal(files_tar_open(dup(root_fd), &limits, 1 << 20, &tar, &length), 0);
	assert_int_equal(files_tar_send(tar, collect, &archive), 0);
	files_tar_free(tar);
	assert_int_equal(archive.length, length);
	assert_null(memmem(archive.data, archive.length, "root:", 5));
	unlinkat(root_fd, "one", 0);
	assert_int_equal(extract(&archive, error), 0);
	content_is("one", "first");
	assert_int_equal(files_tar_open(dup(root_fd), &limits, 4096, &tar, &length), -E2BIG);
	unlinkat(root_fd, "link", 0);
	unlinkat(root_fd, "pipe", 0);
}

/* The promise of a length is kept, whatever the program does meanwhile. */
static void test_files_that_change(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);
	struct files_tar *tar;
	uint64_t length;
	int fd;

	(void)state;
	assert_int_equal(files_tar_open(dup(root_fd), &limits, 1 << 20, &tar, &length), 0);
	fd = openat(root_fd, "one", O_WRONLY | O_TRUNC);
	close(fd);
	fd = openat(root_fd, "dir/two", O_WRONLY);
	assert_int_equal(write(fd, "grown", 5), 5);
	close(fd);
	assert_int_equal(files_tar_send(tar, collect, &archive), 0);
	files_tar_free(tar);
	assert_int_equal(archive.length, length);
	assert_null(memmem(archive.data, archive.length, "grown", 5));
}

/* ---- hostile ones --------------------------------------------------------- */

/* An archive with a good member first: nothing of it may appear. */
static void refused(struct buffer *archive, const char *why)
{
	char error[FILES_TAR_ERROR_BYTES];

	assert_int_equal(extract(archive, error), -EINVAL);
	if (!strstr(error, why))
		print_error("not \"%s\": %s\n", why, error);
	assert_non_null(strstr(error, why));
	assert_false(exists("good"));
	buffer_reset(archive);
	put_member(archive, "good", TAR_FILE, "good");
}

static void test_paths(void **state)
{
	static const char *const paths[] = {
		"/abs", "../up", "a/../../up", "a/..", "..", "a/../b"
	};
	AUTO_BUFFER archive = BUFFER_INIT(0);

	(void)state;
	put_member(&archive, "good", TAR_FILE, "good");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		put_member(&archive, paths[i], TAR_FILE, "evil");
		refused(&archive, "leads out");
		put_member(&archive, paths[i], TAR_DIRECTORY, "");
		refused(&archive, "leads out");
	}
	put_member(&archive, "not\xff", TAR_FILE, "x");
	refused(&archive, "leads out");
	put_member(&archive, ".vivarium-0", TAR_FILE, "x");
	refused(&archive, "itself");
}

static void test_types(void **state)
{
	static const char types[] = "12346SKMVN";
	AUTO_BUFFER archive = BUFFER_INIT(0);

	(void)state;
	put_member(&archive, "good", TAR_FILE, "good");
	for (const char *type = types; *type; type++) {
		size_t at = archive.length;

		put_member(&archive, "odd", TAR_FILE, "");
		struct tar_header *header = header_at(&archive, at);
		header->type = *type;
		strcpy(header->link, "/etc/passwd");
		sign(header);
		refused(&archive, *type == '1' || *type == '2' ? "link" : "neither");
	}
}

static void test_names_twice(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);

	(void)state;
	put_member(&archive, "good", TAR_FILE, "good");
	put_member(&archive, "./good", TAR_FILE, "again");
	refused(&archive, "one name");
	put_member(&archive, "dir2/x", TAR_FILE, "x");
	put_member(&archive, "dir2", TAR_FILE, "x");
	refused(&archive, "is a file");
	put_member(&archive, "dir2", TAR_FILE, "x");
	put_member(&archive, "dir2-", TAR_FILE, "x");
	put_member(&archive, "dir2/x/y", TAR_FILE, "x");
	refused(&archive, "is a file");
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%d", i);
		put_member(&archive, name, TAR_FILE, "");
	}
	refused(&archive, "too many");
}

static void test_damage(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);
	size_t at;

	(void)state;
	put_member(&archive, "good", TAR_FILE, "good");
	at = archive.length;
	put_member(&archive, "bad", TAR_FILE, "bad");
	header_at(&archive, at)->mode[0]++;
	refused(&archive, "checksum");

	put_member(&archive, "bad", TAR_FILE, "bad");
	strcpy(header_at(&archive, at)->size, "77777777777");
	sign(header_at(&archive, at));
	refused(&archive, "inside a member");

	put_member(&archive, "bad", TAR_FILE, "bad");
	memset(header_at(&archive, at)->size, 0xff, 12);
	sign(header_at(&archive, at));
	refused(&archive, "size");

	put_member(&archive, "bad", TAR_FILE, "bad");
	memcpy(header_at(&archive, at)->size, "12x", 3);
	sign(header_at(&archive, at));
	refused(&archive, "size");

	put_member(&archive, "bad", TAR_FILE, "bad");
	archive.length -= 513;
	refused(&archive, "inside a header");

	put_member(&archive, "bad", TAR_DIRECTORY, "");
	strcpy(header_at(&archive, at)->size, "00000000001");
	sign(header_at(&archive, at));
	assert_int_equal(buffer_append(&archive, "x", 1), 0);
	refused(&archive, "folder has content");
}

/* An extended header with these records before a member. */
static void put_extended(struct buffer *archive, char type, const char *records)
{
	size_t at = archive->length;

	put_member(archive, "extended", TAR_FILE, records);
	header_at(archive, at)->type = type;
	sign(header_at(archive, at));
	put_member(archive, "plain", TAR_FILE, "x");
}

static void test_extensions(void **state)
{
	AUTO_BUFFER archive = BUFFER_INIT(0);
	char error[FILES_TAR_ERROR_BYTES];

	(void)state;
	put_member(&archive, "good", TAR_FILE, "good");
	put_extended(&archive, 'x', "15 path=../evil\n");
	refused(&archive, "damaged"); /* its length is wrong */
	put_extended(&archive, 'x', "16 path=../evil\n");
	refused(&archive, "leads out");
	put_extended(&archive, 'x', "17 path=/etc/evil\n");
	refused(&archive, "damaged");
	put_extended(&archive, 'x', "18 path=/etc/evil\n");
	refused(&archive, "leads out");
	put_extended(&archive, 'x', "99999 path=a\n");
	refused(&archive, "damaged");
	put_extended(&archive, 'x', "path=a\n");
	refused(&archive, "damaged");
	put_extended(&archive, 'x', "23 size=99999999999999\n");
	refused(&archive, "inside a member");
	put_extended(&archive, 'x', "22 GNU.sparse.major=1\n");
	refused(&archive, "sparse");
	put_extended(&archive, 'g', "10 path=a\n");
	refused(&archive, "global");
	put_extended(&archive, 'L', "../evil");
	refused(&archive, "leads out");
	buffer_reset(&archive);
	put_extended(&archive, 'g', "13 comment=x\n"); /* as git has it */
	put_extended(&archive, 'L', "a/long/name");    /* for one member only */
	assert_int_equal(extract(&archive, error), 0);
	content_is("a/long/name", "x");
	content_is("plain", "x");
}

static void test_no_archive(void **state)
{
	char error[FILES_TAR_ERROR_BYTES];
	uint8_t noise[2000];

	(void)state;
	assert_int_equal(files_tar_extract(root_fd, "", 0, 100, error), -EINVAL);
	assert_int_equal(files_tar_extract(root_fd, "PK", 2, 100, error), -EINVAL);
	memset(noise, 'x', sizeof noise);
	assert_int_equal(files_tar_extract(root_fd, noise, sizeof noise, 100, error), -EINVAL);
	memset(noise, 0, sizeof noise);
	assert_int_equal(files_tar_extract(root_fd, noise, 1024, 100, error), 0);
}

/* ---- the whole ------------------------------------------------------------ */

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	root_fd = open(directory, O_RDONLY | O_DIRECTORY);
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
		cmocka_unit_test(test_in),
		cmocka_unit_test(test_out_and_in_again),
		cmocka_unit_test(test_files_that_change),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_names_twice),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_no_archive),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
