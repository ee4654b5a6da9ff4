#define _GNU_SOURCE
#include "fcgi-app/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"

enum { FIRST_CAPACITY = 64, ROUNDS_MAX = 1 << 18 };

/* ---- reading ------------------------------------------------------------ */

/* A tree that is being read: its nodes are also the list of what to read next. */
struct reading {
	struct files_tree tree;
	size_t capacity, path_bytes;
	const struct files_tree_limits *limits;
};

static int make_room(struct reading *reading)
{
	size_t capacity = reading->capacity ? reading->capacity * 2 : FIRST_CAPACITY;
	struct files_node *nodes;

	if (reading->tree.count < reading->capacity)
		return 0;
	nodes = reallocarray(reading->tree.nodes, capacity, sizeof *nodes);
	if (!nodes)
		return -ENOMEM;
	reading->tree.nodes = nodes;
	reading->capacity = capacity;
	return 0;
}

static char *join(const char *directory, const char *name)
{
	size_t length = strlen(directory);
	char *path = malloc(length + strlen(name) + 2);

	if (!path)
		return NULL;
	memcpy(path, directory, length);
	if (length)
		path[length++] = '/';
	strcpy(path + length, name);
	return path;
}

static int add_node(struct reading *reading, const char *directory, const char *name,
		    const struct stat *found)
{
	size_t bytes = strlen(directory) + strlen(name) + 2;
	char *path;

	if (reading->tree.count == reading->limits->most_nodes || bytes > FILES_PATH_BYTES ||
	    reading->path_bytes + bytes > reading->limits->most_path_bytes) {
		reading->tree.cut = true;
		return 0;
	}
	path = make_room(reading) ? NULL : join(directory, name);
	if (!path)
		return -ENOMEM;
	reading->path_bytes += bytes;
	reading->tree.nodes[reading->tree.count++] =
		(struct files_node){ .path = path,
				     .mode = found->st_mode,
				     .size = S_ISREG(found->st_mode) ? (uint64_t)found->st_size : 0,
				     .inode = found->st_ino,
				     .links = found->st_nlink,
				     .modified = found->st_mtim };
	return 0;
}

/* Entries of one directory. `directory` is "" for the root. */
static int add_entries(struct reading *reading, int root_fd, const char *directory)
{
	DIR *stream = files_open_stream(root_fd, *directory ? directory : ".");
	struct dirent *entry;
	struct stat found;
	int failed = 0;

	if (!stream)
		return -errno;
	while (!failed && !reading->tree.cut && (entry = readdir(stream))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") && strcmp(name, "..") && !files_is_temporary(name) &&
		    !fstatat(dirfd(stream), name, &found, AT_SYMLINK_NOFOLLOW))
			failed = add_node(reading, directory, name, &found);
	}
	closedir(stream);
	return failed;
}

static bool is_ours(int failed)
{
	return failed == -ENOMEM || failed == -EMFILE || failed == -ENFILE;
}

static int by_path(const void *one, const void *other)
{
	const struct files_node *a = one, *b = other;

	return strcmp(a->path, b->path);
}

void files_tree_free(struct files_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		free(tree->nodes[i].path);
	free(tree->nodes);
	*tree = (struct files_tree){ 0 };
}

int files_tree_read(int root_fd, const struct files_path *below,
		    const struct files_tree_limits *limits, struct files_tree *ret_tree)
{
	struct reading reading = { .limits = limits };
	int failed = add_entries(&reading, root_fd, below ? below->text : "");

	/* A directory below that is gone, or closed to us, is left out. */
	for (size_t i = 0; !failed && limits->recursive && i < reading.tree.count; i++)
		if (S_ISDIR(reading.tree.nodes[i].mode)) {
			int inside = add_entries(&reading, root_fd, reading.tree.nodes[i].path);

			failed = is_ours(inside) ? inside : 0;
		}
	if (failed) {
		files_tree_free(&reading.tree);
		return failed;
	}
	if (reading.tree.count)
		qsort(reading.tree.nodes, reading.tree.count, sizeof *reading.tree.nodes, by_path);
	*ret_tree = reading.tree;
	return 0;
}

/* ---- removing ----------------------------------------------------------- */

/* Directories inside `name` move up to the top under new names; all else is
 * removed. So the tree gets flatter each time, at constant depth, however deep
 * the program has made it. */
static int flatten(int top_fd, const char *name)
{
	DIR *stream = files_open_stream(top_fd, name);
	struct dirent *entry;
	int failed = 0;

	if (!stream)
		return -errno;
	while (!failed && (entry = readdir(stream))) {
		char moved[FILES_TEMPORARY_BYTES];
		const char *inside = entry->d_name;

		if (!strcmp(inside, ".") || !strcmp(inside, "..") ||
		    !unlinkat(dirfd(stream), inside, 0) ||
		    !unlinkat(dirfd(stream), inside, AT_REMOVEDIR))
			continue;
		failed = files_make_temporary_name(moved);
		if (!failed && renameat(dirfd(stream), inside, top_fd, moved) && errno != ENOENT)
			failed = -errno;
	}
	closedir(stream);
	if (!failed && unlinkat(top_fd, name, AT_REMOVEDIR) && errno != ENOENT)
		failed = errno == ENOTEMPTY ? 0 : -errno; /* again in the next round */
	return failed;
}

/* One pass over what is in the top. How many entries it found, or -errno. */
static long sweep(int top_fd)
{
	DIR *stream = files_open_stream(top_fd, ".");
	struct dirent *entry;
	long found = 0;
	int failed = 0;

	if (!stream)
		return -errno;
	while (!failed && (entry = readdir(stream))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		found++;
		if (unlinkat(top_fd, entry->d_name, 0) &&
		    unlinkat(top_fd, entry->d_name, AT_REMOVEDIR) && errno != ENOENT)
			failed = flatten(top_fd, entry->d_name);
		if (found > ROUNDS_MAX)
			failed = -EBUSY; /* the program makes more than we remove */
	}
	closedir(stream);
	return failed ? failed : found;
}

/* It disappears at once, under a name that nobody looks for, and then bit by bit. */
int files_remove_tree(int root_fd, const struct files_path *path)
{
	AUTO_FD parent_fd = files_open_parent(root_fd, path);
	char moved[FILES_TEMPORARY_BYTES];
	long left = 1;

	if (parent_fd < 0)
		return parent_fd;
	if (files_make_temporary_name(moved))
		return -EIO;
	if (renameat(parent_fd, files_last_part(path), parent_fd, moved))
		return -errno;
	AUTO_FD top_fd = files_open_beneath(parent_fd, moved, O_RDONLY | O_DIRECTORY);
	for (int round = 0; top_fd >= 0 && left > 0 && round < FILES_PATH_BYTES; round++)
		left = sweep(top_fd);
	if (!unlinkat(parent_fd, moved, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR) /* swapped for something else meanwhile */
		return unlinkat(parent_fd, moved, 0) && errno != ENOENT ? -errno : 0;
	return top_fd < 0 ? top_fd : left < 0 ? (int)left : -EBUSY;
}
