#define _GNU_SOURCE
#include "executor/cgroup/cgroup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/owned.h"

enum { FILE_BYTES = 4096, PURGE_ROUNDS = 200 };

int cgroup_write(int dir_fd, const char *name, const char *text)
{
	AUTO_FD fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cgroup_write_number(int dir_fd, const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	return cgroup_write(dir_fd, name, text);
}

static int read_text(int dir_fd, const char *name, char text[FILE_BYTES])
{
	AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t got = read(fd, text, FILE_BYTES - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	return 0;
}

int cgroup_read_number(int dir_fd, const char *name, uint64_t *ret_number)
{
	char text[FILE_BYTES];
	int error = read_text(dir_fd, name, text);

	if (!error)
		*ret_number = strtoull(text, NULL, 10);
	return error;
}

int cgroup_read_key(int dir_fd, const char *name, const char *key, uint64_t *ret_number)
{
	char text[FILE_BYTES];
	int error = read_text(dir_fd, name, text);
	size_t length = strlen(key);

	if (error)
		return error;
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, length) && line[length] == ' ') {
			*ret_number = strtoull(line + length, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

int cgroup_open_dir(int dir_fd, const char *name, int make)
{
	if (make && mkdirat(dir_fd, name, 0755) && errno != EEXIST)
		return -errno;
	int fd = openat(dir_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void kill_members(int dir_fd)
{
	AUTO_FD fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *members = fd < 0 ? NULL : fdopen(dup(fd), "r");
	long pid;

	if (!members)
		return;
	while (fscanf(members, "%ld", &pid) == 1)
		if (pid > 1 && pid != getpid())
			(void)kill((pid_t)pid, SIGKILL);
	fclose(members);
}

static void purge_children(int dir_fd)
{
	DIR *entries = fdopendir(dup(dir_fd));
	struct dirent *entry;

	if (!entries)
		return;
	rewinddir(entries);
	while ((entry = readdir(entries)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			(void)cgroup_purge(dir_fd, entry->d_name);
	closedir(entries);
}

int cgroup_purge(int dir_fd, const char *name)
{
	for (int round = 0; round < PURGE_ROUNDS; round++) {
		AUTO_FD own = cgroup_open_dir(dir_fd, name, false);

		if (own < 0)
			return own == -ENOENT ? 0 : own;
		purge_children(own);
		kill_members(own);
		if (!unlinkat(dir_fd, name, AT_REMOVEDIR))
			return 0;
		/* the killed need a moment to leave */
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	return -EBUSY;
}

/* -- where they are ------------------------------------------------------------ */

static bool has_option(char *options, const char *wanted)
{
	char *rest = NULL;

	for (char *option = strtok_r(options, ",", &rest); option;
	     option = strtok_r(NULL, ",", &rest))
		if (!strcmp(option, wanted))
			return true;
	return false;
}

/* "36 35 98:0 /root /place rw,... - type source super,options" */
static bool parse_line(char *line, const char *type, const char *option, char *ret_path,
		       size_t size)
{
	char place[512], found[32], super[512];
	char *dash = strstr(line, " - ");

	if (!dash || sscanf(line, "%*d %*d %*s %*s %511s", place) != 1 ||
	    sscanf(dash, " - %31s %*s %511s", found, super) != 2)
		return false;
	if (strcmp(found, type) || (option && !has_option(super, option)))
		return false;
	snprintf(ret_path, size, "%s", place);
	return true;
}

/* Container engines mount cgroups read-only; whoever may mount may change that
 * for its own mount namespace. A plain remount would ask for the whole
 * superblock and be refused. */
static int make_writable(const char *path)
{
	struct statvfs info;

	if (statvfs(path, &info))
		return -errno;
	if (!(info.f_flag & ST_RDONLY))
		return 0;
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     NULL)
		       ? -errno
		       : 0;
}

int cgroup_find_mount(const char *type, const char *option, char *ret_path, size_t size)
{
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	bool found = false;
	FILE *mounts = fopen("/proc/self/mountinfo", "re");

	if (!mounts)
		return -errno;
	while (!found && getline(&line, &capacity, mounts) >= 0)
		found = parse_line(line, type, option, ret_path, size);
	fclose(mounts);
	return found ? make_writable(ret_path) : -ENOENT;
}
