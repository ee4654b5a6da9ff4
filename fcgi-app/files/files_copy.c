/* files_copy.c - a copy of a workspace whose program goes on meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"
#include "fcgi-app/files/files.h"

enum { COPY_BYTES = 16 << 10, PAGE_BYTES = 4096, NODE_BYTES = 1024 };

/* Where a workspace is in its sandbox: absolute links may lead there. */
static const char workspace_folder[] = "/workspace";

/* A node's path as the module takes it. Any bytes: it came from a directory. */
static void node_path(const struct files_node *node, struct files_path *ret_path)
{
	const char *slash = strrchr(node->path, '/');

	strcpy(ret_path->text, node->path); /* the tree's paths fit */
	ret_path->name_at = slash ? (size_t)(slash + 1 - node->path) : 0;
}

/* What a copy may take yet. */
struct room {
	uint64_t left;
};

static int take_room(struct room *room, uint64_t bytes)
{
	if (bytes > room->left)
		return -E2BIG;
	room->left -= bytes;
	return 0;
}

/* The bytes from `at` to `end`: whole pages but for the last. */
static int copy_part(int from_fd, int to_fd, off_t at, off_t end, struct room *room)
{
	char bytes[COPY_BYTES];

	while (at < end) {
		size_t most = (size_t)(end - at) < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
		ssize_t got = pread(from_fd, bytes, most, at);

		if (got < 0)
			return -errno;
		if (got == 0)
			return 0; /* it has become shorter */
		if (take_room(room, (uint64_t)(got + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES))
			return -E2BIG;
		for (ssize_t done = 0; done < got;) {
			ssize_t wrote =
				pwrite(to_fd, bytes + done, (size_t)(got - done), at + done);

			if (wrote < 0)
				return -errno;
			done += wrote;
		}
		at += got;
	}
	return 0;
}

/* All there is, and no hole filled: a file of holes would fill the copy's disk. */
static int copy_content(int from_fd, int to_fd, off_t size, struct room *room)
{
	off_t at = 0;
	int failed = 0;

	while (!failed && at < size) {
		off_t data = lseek(from_fd, at, SEEK_DATA);
		off_t end = data < 0 ? -1 : lseek(from_fd, data, SEEK_HOLE);

		if (data < 0 || data >= size)
			break;
		if (end < 0 || end > size)
			end = size;
		failed = copy_part(from_fd, to_fd, data, end, room);
		at = end;
	}
	if (!failed && ftruncate(to_fd, size))
		failed = -errno;
	return failed;
}

static int copy_file(int from_fd, int to_fd, const struct files_path *path, struct room *room)
{
	struct stat found;
	AUTO_FD source = files_open(from_fd, path, &found);
	AUTO_FD parent = -1, target = -1;
	int failed;

	if (source < 0)
		return source;
	parent = files_make_parent(to_fd, path);
	if (parent < 0)
		return parent;
	target = openat(parent, files_last_part(path),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (target < 0)
		return -errno;
	failed = copy_content(source, target, found.st_size, room);
	if (!failed && (fchmod(target, found.st_mode & 0777) ||
			futimens(target, (struct timespec[2]){ found.st_atim, found.st_mtim })))
		failed = -errno;
	return failed;
}

static int make_directory(int to_fd, const struct files_path *path)
{
	AUTO_FD parent = files_make_parent(to_fd, path);

	if (parent < 0)
		return parent;
	return mkdirat(parent, files_last_part(path), 0755) && errno != EEXIST ? -errno : 0;
}

/* Does a link at `path` to `target` stay inside, by its letters? */
static bool stays_inside(const char *path, const char *target)
{
	size_t length = strlen(workspace_folder);
	int depth = 0;

	if (*target == '/') {
		if (strncmp(target, workspace_folder, length) ||
		    (target[length] && target[length] != '/'))
			return false;
		target += length;
	} else {
		for (const char *at = path; *at; at++)
			depth += *at == '/';
	}
	while (*target) {
		size_t part = strcspn(target, "/");

		if (part == 2 && target[0] == '.' && target[1] == '.')
			depth--;
		else if (part && !(part == 1 && *target == '.'))
			depth++;
		if (depth < 0)
			return false;
		target += part;
		target += *target == '/';
	}
	return true;
}

static int copy_link(int from_fd, int to_fd, const struct files_path *path)
{
	AUTO_FD source = files_open_parent(from_fd, path);
	AUTO_FD parent = -1;
	char target[FILES_PATH_BYTES];
	struct stat found;
	ssize_t length;

	if (source < 0)
		return source;
	length = readlinkat(source, files_last_part(path), target, sizeof target - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	if (!stays_inside(path->text, target))
		return 0;
	parent = files_make_parent(to_fd, path);
	if (parent < 0)
		return parent;
	if (symlinkat(target, parent, files_last_part(path)))
		return -errno;
	if (!fstatat(source, files_last_part(path), &found, AT_SYMLINK_NOFOLLOW))
		(void)utimensat(parent, files_last_part(path),
				(struct timespec[2]){ found.st_atim, found.st_mtim },
				AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* The earlier node that is the same file, NULL if this is the first. */
static const struct files_node *same_file(const struct files_tree *tree, size_t index)
{
	const struct files_node *node = &tree->nodes[index];

	for (size_t i = 0; node->links > 1 && i < index; i++)
		if (tree->nodes[i].inode == node->inode && S_ISREG(tree->nodes[i].mode))
			return &tree->nodes[i];
	return NULL;
}

/* A second name in the copy for what was copied already. */
static int link_again(int to_fd, const struct files_node *first, const struct files_path *path)
{
	struct files_path first_path;

	node_path(first, &first_path);
	AUTO_FD from = files_open_parent(to_fd, &first_path);
	AUTO_FD parent = from < 0 ? from : files_make_parent(to_fd, path);
	if (from < 0 || parent < 0)
		return from < 0 ? from : parent;
	return linkat(from, files_last_part(&first_path), parent, files_last_part(path), 0) ? -errno
											    : 0;
}

static int copy_node(int from_fd, int to_fd, const struct files_tree *tree, size_t index,
		     struct room *room)
{
	const struct files_node *node = &tree->nodes[index];
	const struct files_node *first = S_ISREG(node->mode) ? same_file(tree, index) : NULL;
	struct files_path path;

	node_path(node, &path);
	if (take_room(room, NODE_BYTES))
		return -E2BIG;
	if (first && !link_again(to_fd, first, &path))
		return 0;
	if (S_ISREG(node->mode))
		return copy_file(from_fd, to_fd, &path, room);
	if (S_ISDIR(node->mode))
		return make_directory(to_fd, &path);
	return S_ISLNK(node->mode) ? copy_link(from_fd, to_fd, &path) : 0;
}

/* Is it what comes of a program that has just removed or swapped a file, or closed
 * it to us? */
static bool is_passed_over(int failed)
{
	static const int passed_over[] = { -ENOENT, -ENOTDIR, -ELOOP, -EISDIR,
					   -EINVAL, -EACCES,  -EBUSY, -EEXIST };

	for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++)
		if (failed == passed_over[i])
			return true;
	return false;
}

/* Modes and times of directories come last: making what is in them changes the
 * times, and a mode may forbid it. */
static void finish_directories(int to_fd, const struct files_tree *tree)
{
	for (size_t i = tree->count; i-- > 0;) {
		const struct files_node *node = &tree->nodes[i];

		if (!S_ISDIR(node->mode))
			continue;
		AUTO_FD fd = files_open_beneath(to_fd, node->path, O_RDONLY | O_DIRECTORY);
		if (fd >= 0) {
			(void)futimens(fd, (struct timespec[2]){ node->modified, node->modified });
			(void)fchmod(fd, node->mode & 0777);
		}
	}
}

int files_tree_copy(int from_fd, int to_fd, const struct files_tree_limits *limits)
{
	struct room room = { limits->most_bytes ? limits->most_bytes : UINT64_MAX };
	struct files_tree tree = { 0 };
	int failed = files_tree_read(from_fd, NULL, limits, &tree);

	if (!failed && tree.cut)
		failed = -E2BIG;
	for (size_t i = 0; !failed && i < tree.count; i++) {
		int copied = copy_node(from_fd, to_fd, &tree, i, &room);

		failed = is_passed_over(copied) ? 0 : copied;
	}
	if (!failed)
		finish_directories(to_fd, &tree);
	files_tree_free(&tree);
	return failed;
}
