#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "owned.h"

enum { TEMPORARY_BYTES = 40, READ_BYTES = 64 << 10, STALE_SECONDS = 3600 };

/* Not a name that a client may give a saved file, for its dot. */
#define TEMPORARY_PREFIX ".vivarium-"

/* ---- opening ------------------------------------------------------------ */

static int open_beneath(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	/* EAGAIN: a rename went on beside us, and the kernel could not be sure. */
	do {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

/* The directory that holds the path's last part. */
static int open_parent(int root_fd, const struct files_path *path)
{
	char parent[FILES_PATH_BYTES];

	if (path->name_at == 0)
		return open_beneath(root_fd, ".", O_RDONLY | O_DIRECTORY);
	memcpy(parent, path->text, path->name_at - 1);
	parent[path->name_at - 1] = '\0';
	return open_beneath(root_fd, parent, O_RDONLY | O_DIRECTORY);
}

/* The same, with the missing directories made on the way, each beneath the one
 * before: nothing outside can be reached, whatever is swapped meanwhile. */
static int make_parent(int root_fd, const struct files_path *path)
{
	AUTO_FD at = open_beneath(root_fd, ".", O_RDONLY | O_DIRECTORY);
	const char *part = path->text;

	while (at >= 0 && part < path->text + path->name_at) {
		char name[FILES_NAME_MAX + 1];
		size_t length = strcspn(part, "/");

		memcpy(name, part, length);
		name[length] = '\0';
		if (mkdirat(at, name, 0777) && errno != EEXIST)
			return -errno;
		int next = open_beneath(at, name, O_RDONLY | O_DIRECTORY);
		owned_close(&at);
		at = next;
		part += length + 1;
	}
	return at < 0 ? at : take_fd(&at);
}

static const char *name_of(const struct files_path *path)
{
	return path->text + path->name_at;
}

/* ---- reading ------------------------------------------------------------ */

/* A FIFO does not make us wait (O_NONBLOCK), and a device is not read. */
static int open_regular(int root_fd, const struct files_path *path, struct stat *ret_stat)
{
	AUTO_FD fd = open_beneath(root_fd, path->text, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fd == -ENXIO ? -EINVAL : fd;
	if (fstat(fd, ret_stat))
		return -errno;
	if (!S_ISREG(ret_stat->st_mode))
		return S_ISDIR(ret_stat->st_mode) ? -EISDIR : -EINVAL;
	return take_fd(&fd);
}

int files_read(int root_fd, const struct files_path *path, size_t most, struct buffer *ret_bytes)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);
	struct stat found;
	AUTO_FD fd = open_regular(root_fd, path, &found);
	ssize_t got;

	if (fd < 0)
		return fd;
	if ((uint64_t)found.st_size > most)
		return -EFBIG;
	/* It may have grown since: the limit is kept by counting. */
	bytes.limit = most + READ_BYTES;
	do {
		/* One byte more than the file has, so that the next read sees its end. */
		if (bytes.length == bytes.capacity &&
		    buffer_reserve(&bytes, bytes.length ? READ_BYTES : (size_t)found.st_size + 1))
			return -ENOMEM;
		got = read(fd, bytes.data + bytes.length, bytes.capacity - bytes.length);
		if (got < 0)
			return -errno;
		bytes.length += (size_t)got;
		if (bytes.length > most)
			return -EFBIG;
	} while (got > 0);
	*ret_bytes = bytes;
	bytes = BUFFER_INIT(0);
	return 0;
}

int files_exists(int root_fd, const struct files_path *path)
{
	struct stat found;
	AUTO_FD fd = open_regular(root_fd, path, &found);

	if (fd >= 0)
		return 1;
	return fd == -ENOENT ? 0 : fd;
}

/* ---- writing ------------------------------------------------------------ */

static int make_temporary(int parent_fd, char ret_name[TEMPORARY_BYTES])
{
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -EIO;
	snprintf(ret_name, TEMPORARY_BYTES, TEMPORARY_PREFIX "%016llx", (unsigned long long)random);
	int fd = openat(parent_fd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0666);
	return fd < 0 ? -errno : fd;
}

static int write_bytes(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t wrote = write(fd, at, length);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			at += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

/* Written and closed under its temporary name. close() tells of errors that the
 * file system kept to itself until then. */
static int fill_temporary(int parent_fd, const void *bytes, size_t length, bool durable,
			  char ret_name[TEMPORARY_BYTES])
{
	int fd = make_temporary(parent_fd, ret_name);
	int failed;

	if (fd < 0)
		return fd;
	failed = write_bytes(fd, bytes, length);
	if (!failed && durable && fsync(fd))
		failed = -errno;
	if (close(fd) && !failed)
		failed = -errno;
	if (failed)
		unlinkat(parent_fd, ret_name, 0);
	return failed;
}

static int sync_directory(int fd, bool durable)
{
	return durable && fsync(fd) ? -errno : 0;
}

int files_write(int root_fd, const struct files_path *path, const void *bytes, size_t length,
		struct files_write how)
{
	AUTO_FD parent_fd =
		how.make_directories ? make_parent(root_fd, path) : open_parent(root_fd, path);
	char temporary[TEMPORARY_BYTES];
	int failed;

	if (parent_fd < 0)
		return parent_fd;
	failed = fill_temporary(parent_fd, bytes, length, how.durable, temporary);
	if (failed)
		return failed;
	if (renameat(parent_fd, temporary, parent_fd, name_of(path))) {
		failed = -errno;
		unlinkat(parent_fd, temporary, 0);
		return failed;
	}
	return sync_directory(parent_fd, how.durable);
}

int files_remove(int root_fd, const struct files_path *path, bool durable)
{
	AUTO_FD parent_fd = open_parent(root_fd, path);

	if (parent_fd < 0)
		return parent_fd;
	if (unlinkat(parent_fd, name_of(path), 0))
		return -errno;
	return sync_directory(parent_fd, durable);
}

/* ---- listing ------------------------------------------------------------ */

/* A stream of its own over the directory; NULL with errno set. */
static DIR *open_stream(int directory_fd)
{
	AUTO_FD fd = open_beneath(directory_fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *stream;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = fdopendir(fd);
	if (stream)
		(void)take_fd(&fd);
	return stream;
}

static int newest_first(const void *one, const void *other)
{
	const struct files_entry *a = one, *b = other;

	if (a->modified.tv_sec != b->modified.tv_sec)
		return a->modified.tv_sec < b->modified.tv_sec ? 1 : -1;
	if (a->modified.tv_nsec != b->modified.tv_nsec)
		return a->modified.tv_nsec < b->modified.tv_nsec ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* 1 if the entry is one to list, 0 if not, or -errno. */
static int look_at(int directory_fd, const char *name, struct files_entry *ret_entry)
{
	struct stat found;

	if (!files_name_valid(text_of(name)) ||
	    fstatat(directory_fd, name, &found, AT_SYMLINK_NOFOLLOW) || !S_ISREG(found.st_mode))
		return 0;
	*ret_entry = (struct files_entry){ .name = strdup(name),
					   .size = (uint64_t)found.st_size,
					   .modified = found.st_mtim };
	return ret_entry->name ? 1 : -ENOMEM;
}

void files_entries_free(struct files_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
}

int files_list(int directory_fd, size_t most, struct files_entry **ret_entries, size_t *ret_count)
{
	struct files_entry *entries = calloc(most, sizeof *entries);
	DIR *stream = open_stream(directory_fd);
	int failed = entries && stream ? 0 : -errno;
	struct dirent *entry;
	size_t count = 0;

	while (!failed && count < most && (entry = readdir(stream))) {
		int listed = look_at(directory_fd, entry->d_name, &entries[count]);

		if (listed < 0)
			failed = listed;
		else
			count += (size_t)listed;
	}
	if (stream)
		closedir(stream);
	if (failed) {
		files_entries_free(entries, count);
		return failed;
	}
	qsort(entries, count, sizeof *entries, newest_first);
	*ret_entries = entries;
	*ret_count = count;
	return 0;
}

void files_clean(int directory_fd)
{
	DIR *stream = open_stream(directory_fd);
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat found;

	while (stream && (entry = readdir(stream)))
		if (!strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) &&
		    !fstatat(directory_fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) &&
		    found.st_mtime < now - STALE_SECONDS)
			unlinkat(directory_fd, entry->d_name, 0);
	if (stream)
		closedir(stream);
}
