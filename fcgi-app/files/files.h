/* files.h - every name that came from a client ends here.
 *
 * All paths are relative to a directory descriptor, the root: the volume of the
 * saved files, or a session's workspace. The program of a session may change
 * its workspace while we work in it: swap a file for a symbolic link or a FIFO,
 * rename a directory away. So nothing is checked first and used later: the
 * kernel resolves beneath the root and follows no link, a file is opened
 * without waiting, and what was opened is looked at.
 *
 * Errors common to all: -ENOENT, -ENOTDIR (a part of the path is missing, or no
 * directory), -ELOOP (a symbolic link), -EISDIR, -EINVAL (not a regular file),
 * -EACCES, -EBUSY (held by somebody), -ENOSPC, -EDQUOT, -EFBIG (larger than
 * allowed), -ENOMEM. */
#ifndef VIVARIUM_FILES_H
#define VIVARIUM_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "common/bytes.h"

enum { FILES_PATH_BYTES = 4096, FILES_NAME_MAX = 255 };

/* A path that has been checked: relative, no "." or "..", no empty parts. */
struct files_path {
	char text[FILES_PATH_BYTES];
	size_t name_at; /* where its last part starts */
};

/* Check and tidy a client's path: "a/./b//c" is a/b/c, and "a/../b" is b. 0, or
 * -EINVAL: empty, absolute, climbs out, holds NUL or is not UTF-8, or ends in a
 * slash; -ENAMETOOLONG. */
int files_path_set(struct text path, struct files_path *ret_path);

/* Is this a name for a saved file: 1 to 255 bytes of UTF-8, no separators, no
 * control characters, no dot in front? */
bool files_name_valid(struct text name);

/* Open a regular file for reading: the descriptor with *ret_stat set, or
 * -errno. Never waits. */
int files_open(int root_fd, const struct files_path *path, struct stat *ret_stat);

/* Read a whole regular file, at most `most` bytes. 0 or -errno. */
int files_read(int root_fd, const struct files_path *path, size_t most, struct buffer *ret_bytes);

/* May a change go on? `found` is what has the name now, NULL if nothing has. No
 * other change through this module happens between the question and the change. */
struct files_condition {
	bool (*holds)(const void *context, const struct stat *found);
	const void *context;
};

/* Bytes that come as they are asked for: how many were read, 0 at the end, or -errno. */
struct files_source {
	long (*read)(void *context, void *bytes, size_t capacity);
	void *context;
	uint64_t most; /* more are -EFBIG */
};

struct files_write {
	const struct files_source *from; /* NULL, or what to write in place of the bytes */
	bool make_directories;
	bool durable;    /* on the disk before it is done: for what must outlive us */
	bool executable; /* mode 0755 and not 0644 */
	const struct timespec *modified;        /* NULL: now */
	const struct files_condition *only_if;  /* NULL: in any case; else -ESTALE */
	struct stat *ret_written;               /* NULL, or set: what was written */
	bool *ret_replaced;                     /* NULL, or set: something had the name */
};

/* Put a whole file in place of whatever file had the name, with that one's mode: a
 * reader sees the old one or the new one, and a failure leaves the old one. 0 or
 * -errno. */
int files_write(int root_fd, const struct files_path *path, const void *bytes, size_t length,
		struct files_write how);

struct files_remove {
	bool durable;
	const struct files_condition *only_if;
};

/* Remove a file (a symbolic link itself, not what it leads to). 0 or -errno. */
int files_remove(int root_fd, const struct files_path *path, struct files_remove how);

/* Remove a directory: an empty one (-ENOTEMPTY), or with all that is in it. */
int files_remove_directory(int root_fd, const struct files_path *path);
int files_remove_tree(int root_fd, const struct files_path *path);

struct files_rename {
	bool make_directories;
	bool replace; /* a file that has the new name; else -EEXIST */
};

/* Rename whatever has the name. 0, -EINVAL for a directory into itself, -EEXIST,
 * -ENOTEMPTY or another -errno. */
int files_rename(int root_fd, const struct files_path *from, const struct files_path *to,
		 struct files_rename how);

struct files_entry {
	char *name;
	uint64_t size;
	struct timespec modified;
};

/* The regular files of one directory with names as files_name_valid() has them,
 * newest first, at most `most`. 0 with *ret_entries (freed with
 * files_entries_free()) and *ret_count, or -errno. */
int files_list(int directory_fd, size_t most, struct files_entry **ret_entries, size_t *ret_count);
void files_entries_free(struct files_entry *entries, size_t count);

/* Does a regular file with this name exist? 1, 0 or -errno. */
int files_exists(int root_fd, const struct files_path *path);

/* Remove what an earlier process that was killed left half-written in one
 * directory. Files that are being written now are left alone, by their age. */
void files_clean(int directory_fd);

#endif
