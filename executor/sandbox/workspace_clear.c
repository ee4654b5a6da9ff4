#define _GNU_SOURCE
/* Emptying a folder that a hostile program has filled: no recursion (it may be
 * thousands of levels deep), no name followed, nothing opened but folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "executor/sandbox/mounts.h"
#include "common/owned.h"

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
