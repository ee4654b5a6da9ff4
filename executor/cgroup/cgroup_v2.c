#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"
#include "common/owned.h"

static const char all_controllers[] = "+memory +pids +cpu";
static const char daemon_leaf[] = "daemons";

/* Those of our controllers that the group has not got, as words; "" if none. */
static int find_missing(int dir_fd, char *ret_words, size_t size)
{
	static const char *const wanted[] = { "memory", "pids", "cpu" };
	char text[512] = " ";
	AUTO_FD fd = openat(dir_fd, "cgroup.controllers", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text + 1, sizeof text - 3);
	size_t used = 0;

	if (got < 0)
		return -errno;
	for (ssize_t i = 0; i <= got; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	text[got + 1] = ' ';
	*ret_words = '\0';
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		char word[16];

		snprintf(word, sizeof word, " %s ", wanted[i]);
		if (!strstr(text, word))
			used += (size_t)snprintf(ret_words + used, size - used, "%s%s",
						 used ? ", " : "", wanted[i]);
	}
	return 0;
}

static bool has_controllers(int dir_fd)
{
	char missing[64];

	return !find_missing(dir_fd, missing, sizeof missing) && !*missing;
}

/* Only the true root of the hierarchy may hold processes and children with
 * limits at once; it alone has no cgroup.type. */
static bool is_true_root(int dir_fd)
{
	return faccessat(dir_fd, "cgroup.type", F_OK, 0) != 0;
}

/* No process may sit in an inner node: those of the base go into a leaf. */
static int empty_into_leaf(int dir_fd)
{
	AUTO_FD leaf = cgroup_open_dir(dir_fd, daemon_leaf, true);
	AUTO_FD fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *members;
	long pid;

	if (leaf < 0)
		return leaf;
	members = fd < 0 ? NULL : fdopen(dup(fd), "r");
	if (!members)
		return -errno;
	while (fscanf(members, "%ld", &pid) == 1)
		if (pid > 0) /* one that has just ended is no loss */
			(void)cgroup_write_number(leaf, "cgroup.procs", (uint64_t)pid);
	fclose(members);
	return 0;
}

static int own_path(char *ret_path, size_t size)
{
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	int error = -ENOENT;
	FILE *groups = fopen("/proc/self/cgroup", "re");

	if (!groups)
		return -errno;
	while (error && getline(&line, &capacity, groups) >= 0) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret_path, size, "%s", line + 4);
		error = 0;
	}
	fclose(groups);
	return error;
}

static bool only_member(int dir_fd)
{
	AUTO_FD fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *members = fd < 0 ? NULL : fdopen(dup(fd), "r");
	bool only = members != NULL;
	long pid;

	while (members && fscanf(members, "%ld", &pid) == 1)
		only &= pid == getpid();
	if (members)
		fclose(members);
	return only;
}

/* The group that is the daemon's to divide: one that holds nobody else (a
 * systemd unit with Delegate=yes), or else the root of what is mounted (a host's
 * true root; a container's own subtree). */
static int find_base(const char *mount, const char *parent, char *ret_path, size_t size)
{
	char own[PATH_MAX] = "";

	if (*parent)
		return snprintf(ret_path, size, "%s/%s", mount, parent) >= (int)size ? -ENAMETOOLONG
										     : 0;
	if (!own_path(own, sizeof own) && *own) {
		if (snprintf(ret_path, size, "%s/%s", mount, own) < (int)size) {
			AUTO_FD dir = open(ret_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

			if (dir >= 0 && only_member(dir) && has_controllers(dir))
				return 0;
		}
	}
	return snprintf(ret_path, size, "%s", mount) >= (int)size ? -ENAMETOOLONG : 0;
}

static int divide_base(int dir_fd)
{
	if (!is_true_root(dir_fd)) {
		int error = empty_into_leaf(dir_fd);

		if (error)
			return error;
	}
	return cgroup_write(dir_fd, "cgroup.subtree_control", all_controllers);
}

static int prepare_base(const char *path, struct cgroup_dirs *ret_base,
			char message[CGROUP_MESSAGE_BYTES])
{
	AUTO_FD dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	char missing[64] = "";
	int error = dir < 0 ? -errno : find_missing(dir, missing, sizeof missing);

	if (*missing) {
		snprintf(message, CGROUP_MESSAGE_BYTES,
			 "cgroup v2 at %.80s has no controller %s; boot with it "
			 "(cgroup_enable=memory), or delegate it (Delegate=yes)",
			 path, missing);
		return -ENODEV;
	}
	if (!error)
		error = divide_base(dir);
	if (error)
		snprintf(message, CGROUP_MESSAGE_BYTES,
			 "cgroup v2 at %.80s cannot give memory, pids and cpu to children: %s; "
			 "delegate a subtree (Delegate=yes, or a private cgroup namespace)",
			 path, strerror(-error));
	else
		ret_base->fd[0] = take_fd(&dir);
	return error;
}

static int open_base(const char *parent, struct cgroup_dirs *ret_base,
		     char message[CGROUP_MESSAGE_BYTES])
{
	char mount[PATH_MAX], base[PATH_MAX];
	int error = cgroup_find_mount("cgroup2", NULL, mount, sizeof mount);

	if (!error)
		error = find_base(mount, parent, base, sizeof base);
	if (!error)
		return prepare_base(base, ret_base, message);
	if (error == -ENOENT)
		snprintf(message, CGROUP_MESSAGE_BYTES,
			 "no cgroups are mounted; mount -t cgroup2 cgroup2 /sys/fs/cgroup");
	else
		snprintf(message, CGROUP_MESSAGE_BYTES, "cgroup v2 is not usable: %s",
			 strerror(-error));
	return error;
}

static int delegate(const struct cgroup_dirs *dirs)
{
	return cgroup_write(dirs->fd[0], "cgroup.subtree_control", all_controllers);
}

static int limit_memory(const struct cgroup_dirs *dirs, uint64_t bytes)
{
	return cgroup_write_number(dirs->fd[0], "memory.max", bytes);
}

static int limit(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits)
{
	int error = limit_memory(dirs, limits->memory_bytes);

	if (!error) {
		error = cgroup_write(dirs->fd[0], "memory.swap.max", "0");
		if (error == -ENOENT) /* a kernel without swap */
			error = 0;
	}
	if (!error)
		error = cgroup_write_number(dirs->fd[0], "pids.max", limits->processes);
	return error;
}

static int weigh(const struct cgroup_dirs *dirs, uint64_t weight)
{
	return cgroup_write_number(dirs->fd[0], "cpu.weight", weight);
}

static int share_cpu(const struct cgroup_dirs *dirs, uint64_t quota_us, uint64_t period_us)
{
	char text[64];

	snprintf(text, sizeof text, "%llu %llu", (unsigned long long)quota_us,
		 (unsigned long long)period_us);
	return cgroup_write(dirs->fd[0], "cpu.max", text);
}

static int limit_cpu(const struct cgroup_dirs *dirs, uint64_t quota_us)
{
	return share_cpu(dirs, quota_us, CGROUP_PERIOD_US);
}

static int read_usage(const struct cgroup_dirs *dirs, struct cgroup_usage *usage)
{
	int dir = dirs->fd[0];
	int error = cgroup_read_number(dir, "memory.current", &usage->memory_bytes);

	if (!error)
		error = cgroup_read_key(dir, "memory.events", "oom_kill", &usage->oom_kills);
	if (!error)
		error = cgroup_read_key(dir, "pids.events", "max", &usage->forks_refused);
	return error;
}

/* The first line of cpu.stat is "usage_usec 123". */
static uint64_t parse_cpu_us(const char *text)
{
	const char *space = strchr(text, ' ');

	return space ? strtoull(space, NULL, 10) : 0;
}

const struct cgroup_version cgroup_v2 = {
	.name = "v2",
	.dirs = 1,
	.members = 0,
	.door = "cgroup.procs",
	.open_base = open_base,
	.delegate = delegate,
	.limit = limit,
	.limit_memory = limit_memory,
	.limit_cpu = limit_cpu,
	.weigh = weigh,
	.share_cpu = share_cpu,
	.meters = { { 0, "cpu.stat" }, { 0, "memory.peak" }, { 0, "pids.current" } },
	.parse_cpu_us = parse_cpu_us,
	.read_usage = read_usage,
};
