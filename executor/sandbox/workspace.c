#define _GNU_SOURCE
/* Has a program left the files alone that were put into its workspace?
 *
 * What makes something shows in the inode counter. What changes, renames
 * or removes what is there already shows in an inotify watch on each folder: also a
 * file that was only opened for writing, because what is then written through a
 * mapping tells nobody. Reading leaves no trace, as the mounts have no access times. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/mounts.h"

/* What is larger is not watched: this happens in the event loop. */
enum { FOLDERS_MAX = 256, ENTRIES_MAX = 8192, DEPTH_MAX = 32 };

struct walk {
	int watch;
	unsigned folders, entries;
};

static int watch_folder(struct walk *walk, int folder)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
	return inotify_add_watch(walk->watch, path,
				 IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
					 IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0
		       ? -errno
		       : 0;
}

static int walk_folder(struct walk *walk, int at, const char *name, unsigned depth)
{
	int fd = openat(at, name, O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!entries) {
		int error = -errno;

		owned_close(&fd);
		return error;
	}
	int error = depth > DEPTH_MAX || ++walk->folders > FOLDERS_MAX ? -E2BIG
								       : watch_folder(walk, fd);
	while (!error && (entry = readdir(entries))) {
		if (++walk->entries > ENTRIES_MAX)
			error = -E2BIG;
		else if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
			 strcmp(entry->d_name, ".."))
			error = walk_folder(walk, fd, entry->d_name, depth + 1);
	}
	closedir(entries);
	return error;
}

/* A tmpfs counts the inodes that it makes: one of ours tells what there was. */
static int next_inode(const struct workspace *workspace, uint64_t *ret_inode)
{
	AUTO_FD fd = openat(workspace->filesystem, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0);
	struct stat info;

	if (fd < 0 || fstat(fd, &info))
		return -errno;
	*ret_inode = info.st_ino;
	return 0;
}

static int mark_changes(const struct workspace *workspace, struct workspace_mark *ret_mark)
{
	for (size_t i = 0; i < WORKSPACE_FOLDERS; i++) {
		struct stat info;

		if (fstatat(workspace->filesystem, workspace_folders[i].name, &info,
			    AT_SYMLINK_NOFOLLOW))
			return -errno;
		ret_mark->folders[i] = (struct folder_mark){ .mode = info.st_mode,
							     .uid = info.st_uid,
							     .gid = info.st_gid,
							     .changed = info.st_ctim,
							     .modified = info.st_mtim };
	}
	return 0;
}

int workspace_mark(const struct workspace *workspace, struct workspace_mark *ret_mark)
{
	int error = mark_changes(workspace, ret_mark);

	return error ? error : next_inode(workspace, &ret_mark->inode);
}

int workspace_hand_over(const struct workspace *workspace, uid_t uid, gid_t gid,
			struct workspace_mark *mark)
{
	for (size_t i = 0; i < WORKSPACE_FOLDERS; i++)
		if (fchownat(workspace->filesystem, workspace_folders[i].name, uid, gid,
			     AT_SYMLINK_NOFOLLOW))
			return -errno;
	return mark_changes(workspace, mark);
}

/* Has what was kept been left alone? */
static bool is_quiet(const struct workspace *workspace)
{
	uint8_t event[sizeof(struct inotify_event) + 256];

	if (workspace->watch < 0)
		return true;
	return read(workspace->watch, event, sizeof event) < 0 && errno == EAGAIN;
}

static bool is_same_time(struct timespec one, struct timespec other)
{
	return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

static bool is_same_folder(const struct folder_mark *one, const struct folder_mark *other)
{
	return one->mode == other->mode && one->uid == other->uid && one->gid == other->gid &&
	       is_same_time(one->changed, other->changed) &&
	       is_same_time(one->modified, other->modified);
}

bool workspace_is_untouched(const struct workspace *workspace, struct workspace_mark *mark)
{
	struct workspace_mark now;

	if (workspace_mark(workspace, &now) || now.inode != mark->inode + 1 || !is_quiet(workspace))
		return false;
	for (size_t i = 0; i < WORKSPACE_FOLDERS; i++)
		if (!is_same_folder(&now.folders[i], &mark->folders[i]))
			return false;
	mark->inode = now.inode;
	return true;
}

int workspace_keep(struct workspace *workspace, struct workspace_mark *ret_mark)
{
	struct walk walk = { .watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };

	if (walk.watch < 0)
		return -errno;
	int error = walk_folder(&walk, workspace->folder, ".", 0);
	if (!error)
		error = workspace_mark(workspace, ret_mark);
	if (error) {
		close(walk.watch);
		return error;
	}
	owned_close(&workspace->watch);
	workspace->watch = walk.watch;
	return 0;
}

/* -- emptying ------------------------------------------------------------------------- */

/* Emptying a folder that a hostile program has filled: no recursion (it may be
 * thousands of levels deep), no name followed, nothing opened but folders. */

/* A round over a tree takes one level off. The application may add to it meanwhile. */
enum { NAMES_MAX = 1 << 22, SECONDS_MAX = 60 };

/* From a sticky folder only owners remove, or CAP_FOWNER, which we do not have. */
static void unstick(int folder)
{
	struct stat info;

	if (fstat(folder, &info) || !(info.st_mode & S_ISVTX))
		return;
	(void)setfsuid(info.st_uid);
	(void)fchmod(folder, 0755);
	(void)setfsuid(geteuid());
}

static DIR *open_entries(int folder, const char *name)
{
	int fd = openat(folder, name, O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (entries)
		unstick(fd);
	else
		owned_close(&fd);
	return entries;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Folders inside `name` move up to the top under new names; all else is removed.
 * So the tree gets flatter each time, at constant depth. */
static int flatten(int top, const char *name, unsigned long *number)
{
	DIR *entries = open_entries(top, name);
	struct dirent *entry;
	int error = 0;

	if (!entries) /* the application has removed it, or put a file in its place */
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (!error && (entry = readdir(entries))) {
		char moved[32];

		if (is_dots(entry->d_name) || !unlinkat(dirfd(entries), entry->d_name, 0) ||
		    !unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR))
			continue;
		do {
			snprintf(moved, sizeof moved, ".clear-%lu", (*number)++);
			error = renameat2(dirfd(entries), entry->d_name, top, moved,
					  1 /* RENAME_NOREPLACE */)
					? -errno
					: 0;
		} while (error == -EEXIST && *number < NAMES_MAX);
		if (error == -ENOENT)
			error = 0;
	}
	closedir(entries);
	if (!error && unlinkat(top, name, AT_REMOVEDIR))
		error = errno == ENOENT || errno == ENOTEMPTY ? 0 : -errno;
	return error;
}

/* One pass over the top. How many entries it found, or -errno. */
static long sweep_top(int top, unsigned long *number)
{
	DIR *entries = open_entries(top, ".");
	struct dirent *entry;
	long found = 0;
	int error = 0;

	if (!entries)
		return -errno;
	while (!error && (entry = readdir(entries))) {
		if (is_dots(entry->d_name))
			continue;
		found++;
		if (unlinkat(top, entry->d_name, 0) && unlinkat(top, entry->d_name, AT_REMOVEDIR))
			error = flatten(top, entry->d_name, number);
	}
	closedir(entries);
	return error ? error : found;
}

int workspace_clear(const struct workspace *workspace)
{
	unsigned long number = 0;
	struct timespec began, now;
	long found;

	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		found = sweep_top(workspace->folder, &number);
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	} while (found > 0 && now.tv_sec - began.tv_sec <= SECONDS_MAX);
	return found > 0 ? -ETIMEDOUT : (int)found;
}
