#define _GNU_SOURCE
#include "fcgi-app/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/owned.h"

enum { READ_BYTES = 64 << 10, STALE_SECONDS = 3600, LOCKS = 16 };

/* ---- how much ------------------------------------------------------------ */

enum { PAGE_BYTES = 4096, NODE_BYTES = 1024 };

uint64_t files_room(uint64_t bytes, const struct files_path *path)
{
	uint64_t nodes = 1;

	for (const char *at = path->text; *at; at++)
		nodes += *at == '/';
	if (bytes > UINT64_MAX / 2)
		return bytes;
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + nodes * NODE_BYTES;
}

int files_used(int folder_fd, uint64_t *ret_bytes)
{
	struct statfs info;

	if (fstatfs(folder_fd, &info))
		return -errno;
	*ret_bytes = (info.f_blocks - info.f_bfree) * (uint64_t)info.f_bsize +
		     (info.f_files - info.f_ffree) * NODE_BYTES;
	return 0;
}

/* ---- reading ------------------------------------------------------------ */

/* A FIFO does not make us wait (O_NONBLOCK), and a device is not read. */
int files_open(int root_fd, const struct files_path *path, struct stat *ret_stat)
{
	AUTO_FD fd = files_open_beneath(root_fd, path->text, O_RDONLY | O_NONBLOCK | O_NOCTTY);

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
	AUTO_FD fd = files_open(root_fd, path, &found);
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
	AUTO_FD fd = files_open(root_fd, path, &found);

	if (fd >= 0)
		return 1;
	return fd == -ENOENT ? 0 : fd;
}

/* ---- one change at a time ----------------------------------------------- */

/* A condition and the change that hangs on it are one step among our own
 * threads: a mutex a directory, or one that several share. A file lock would be
 * one that the program can hold for ever. */
static pthread_mutex_t *lock_of(int parent_fd)
{
	static pthread_mutex_t locks[LOCKS] = { [0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER };
	struct stat found = { 0 };

	(void)fstat(parent_fd, &found);
	return &locks[(found.st_dev ^ found.st_ino) % LOCKS];
}

/* 0 with *ret_exists set, or -ESTALE. */
static int check_condition(int parent_fd, const char *name, const struct files_condition *only_if,
			   bool *ret_exists)
{
	struct stat found;

	*ret_exists = !fstatat(parent_fd, name, &found, AT_SYMLINK_NOFOLLOW);
	if (only_if && !only_if->holds(only_if->context, *ret_exists ? &found : NULL))
		return -ESTALE;
	return 0;
}

/* ---- writing ------------------------------------------------------------ */

/* All there is to a file but its name. */
static int fill(int fd, const void *bytes, size_t length, const struct files_write *how)
{
	int failed =
		how->from ? files_write_from(fd, how->from) : files_write_bytes(fd, bytes, length);

	if (!failed && how->modified &&
	    futimens(fd, (struct timespec[2]){ *how->modified, *how->modified }))
		failed = -errno;
	if (!failed && how->durable && fsync(fd))
		failed = -errno;
	if (!failed && how->ret_written && fstat(fd, how->ret_written))
		failed = -errno;
	return failed;
}

/* The mode of the file that is replaced: a script stays one that can be run. */
static mode_t mode_for(int parent_fd, const char *name, const struct files_write *how)
{
	struct stat found;

	if (how->executable)
		return 0755;
	if (fstatat(parent_fd, name, &found, AT_SYMLINK_NOFOLLOW) || !S_ISREG(found.st_mode))
		return 0644;
	return (found.st_mode & 0777) | 0600;
}

/* Written and closed under its temporary name. close() tells of errors that the
 * file system kept to itself until then. */
static int fill_temporary(int parent_fd, const char *name, const void *bytes, size_t length,
			  const struct files_write *how, char ret_name[FILES_TEMPORARY_BYTES])
{
	mode_t mode = mode_for(parent_fd, name, how);
	int failed = files_make_temporary_name(ret_name);
	int fd;

	if (failed)
		return failed;
	fd = openat(parent_fd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	failed = fchmod(fd, mode) ? -errno : fill(fd, bytes, length, how);
	if (close(fd) && !failed)
		failed = -errno;
	if (failed)
		unlinkat(parent_fd, ret_name, 0);
	return failed;
}

static int put_in_place(int parent_fd, const char *temporary, const char *name,
			const struct files_write *how)
{
	pthread_mutex_t *lock = lock_of(parent_fd);
	bool exists;
	int failed;

	pthread_mutex_lock(lock);
	failed = check_condition(parent_fd, name, how->only_if, &exists);
	if (!failed && renameat(parent_fd, temporary, parent_fd, name))
		failed = -errno;
	pthread_mutex_unlock(lock);
	if (!failed && how->ret_replaced)
		*how->ret_replaced = exists;
	return failed;
}

static int sync_directory(int fd, bool durable)
{
	return durable && fsync(fd) ? -errno : 0;
}

int files_write(int root_fd, const struct files_path *path, const void *bytes, size_t length,
		struct files_write how)
{
	AUTO_FD parent_fd = how.make_directories ? files_make_parent(root_fd, path)
						 : files_open_parent(root_fd, path);
	char temporary[FILES_TEMPORARY_BYTES];
	int failed;

	if (parent_fd < 0)
		return parent_fd;
	failed = fill_temporary(parent_fd, files_last_part(path), bytes, length, &how, temporary);
	if (failed)
		return failed;
	failed = put_in_place(parent_fd, temporary, files_last_part(path), &how);
	if (failed) {
		unlinkat(parent_fd, temporary, 0);
		return failed;
	}
	return sync_directory(parent_fd, how.durable);
}

int files_remove(int root_fd, const struct files_path *path, struct files_remove how)
{
	AUTO_FD parent_fd = files_open_parent(root_fd, path);
	pthread_mutex_t *lock;
	bool exists;
	int failed;

	if (parent_fd < 0)
		return parent_fd;
	lock = lock_of(parent_fd);
	pthread_mutex_lock(lock);
	failed = check_condition(parent_fd, files_last_part(path), how.only_if, &exists);
	if (!failed && unlinkat(parent_fd, files_last_part(path), 0))
		failed = -errno;
	pthread_mutex_unlock(lock);
	return failed ? failed : sync_directory(parent_fd, how.durable);
}

int files_remove_directory(int root_fd, const struct files_path *path)
{
	AUTO_FD parent_fd = files_open_parent(root_fd, path);

	if (parent_fd < 0)
		return parent_fd;
	return unlinkat(parent_fd, files_last_part(path), AT_REMOVEDIR) ? -errno : 0;
}

/* ---- renaming ----------------------------------------------------------- */

int files_rename(int root_fd, const struct files_path *from, const struct files_path *to,
		 struct files_rename how)
{
	AUTO_FD from_fd = files_open_parent(root_fd, from);
	AUTO_FD to_fd = -1;
	struct stat found;
	int failed = 0;

	/* Looked at before directories are made for it: a name that does not exist
	 * leaves nothing behind. */
	if (from_fd < 0)
		return from_fd;
	if (fstatat(from_fd, files_last_part(from), &found, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!strncmp(to->text, from->text, strlen(from->text)) &&
	    to->text[strlen(from->text)] == '/')
		return S_ISDIR(found.st_mode) ? -EINVAL : -ENOTDIR;
	to_fd = how.make_directories ? files_make_parent(root_fd, to)
				     : files_open_parent(root_fd, to);
	if (to_fd < 0)
		return to_fd;
	pthread_mutex_t *lock = lock_of(to_fd);
	pthread_mutex_lock(lock);
	if (renameat2(from_fd, files_last_part(from), to_fd, files_last_part(to),
		      how.replace ? 0 : RENAME_NOREPLACE))
		failed = -errno;
	pthread_mutex_unlock(lock);
	return failed;
}

/* ---- the files of one directory ----------------------------------------- */

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
	DIR *stream = files_open_stream(directory_fd, ".");
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
	DIR *stream = files_open_stream(directory_fd, ".");
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat found;

	while (stream && (entry = readdir(stream)))
		if (files_is_temporary(entry->d_name) &&
		    !fstatat(directory_fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) &&
		    found.st_mtime < now - STALE_SECONDS)
			unlinkat(directory_fd, entry->d_name, 0);
	if (stream)
		closedir(stream);
}
