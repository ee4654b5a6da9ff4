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

#include <dirent.h>
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

/* What a file of so many bytes, and the folders that its path makes, take of a workspace:
 * whole pages, and a little for each name. */
uint64_t files_room(uint64_t bytes, const struct files_path *path);

/* What all files of the workspace take that this folder belongs to. 0 or -errno. */
int files_used(int folder_fd, uint64_t *ret_bytes);

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

/* ---- what is in a directory and below, and copies of it (files_tree.c, files_copy.c) --
 *
 * The tree may change while it is read: what was there for a moment may be
 * missing from the list or not be there any more. Only the bounds are kept. */

struct files_node {
	char *path; /* from the root; any bytes */
	uint32_t mode;
	uint64_t size; /* of a regular file */
	uint64_t inode, links;
	struct timespec modified;
};

struct files_tree {
	struct files_node *nodes; /* in the order of their paths: a directory before its content */
	size_t count;
	bool cut; /* there was more than allowed */
};

struct files_tree_limits {
	bool recursive;
	size_t most_nodes;
	size_t most_path_bytes; /* of all paths together */
	uint64_t most_bytes;    /* of a copy, as files_room() counts; 0: no matter */
};

/* Read a directory; `below` NULL: the root. 0 with *ret_tree (freed with
 * files_tree_free()), -ENOTDIR and the common errors. */
int files_tree_read(int root_fd, const struct files_path *below,
		    const struct files_tree_limits *limits, struct files_tree *ret_tree);
void files_tree_free(struct files_tree *tree);

/* Copy all of one root into another, which is empty and nobody else's: names,
 * modes, times, hard links, holes, and symbolic links that stay inside. 0 or
 * -errno, -E2BIG for more than `limits` allow; a half-made copy is left. */
int files_tree_copy(int from_fd, int to_fd, const struct files_tree_limits *limits);

/* ---- opening beneath a root (files_open.c): for this folder's own files ------------- */

enum { FILES_TEMPORARY_BYTES = 40 };

/* Not a name that a client may give a saved file, for its dot. */
#define FILES_TEMPORARY_PREFIX ".vivarium-"

/* Is it the name of a file that is being written? */
bool files_is_temporary(const char *name);

/* A name that nobody has. 0 or -errno. */
int files_make_temporary_name(char ret_name[FILES_TEMPORARY_BYTES]);

/* Open beneath the root, through no link. The descriptor or -errno. */
int files_open_beneath(int root_fd, const char *path, int flags);

/* The directory that holds the path's last part. */
int files_open_parent(int root_fd, const struct files_path *path);

/* The same, with the missing directories made on the way, each beneath the one
 * before: nothing outside can be reached, whatever is swapped meanwhile. */
int files_make_parent(int root_fd, const struct files_path *path);

static inline const char *files_last_part(const struct files_path *path)
{
	return path->text + path->name_at;
}

/* A stream of its own over a directory; NULL with errno set. */
DIR *files_open_stream(int root_fd, const char *path);

/* All bytes to a file. 0 or -errno. */
int files_write_bytes(int fd, const void *bytes, size_t length);
int files_write_from(int fd, const struct files_source *source);

#endif
