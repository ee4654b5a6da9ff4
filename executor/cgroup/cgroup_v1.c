#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"

enum { MEMORY, PIDS, CPU, CPUACCT };

static const char *const controllers[CGROUP_DIRS_MAX] = {
	[MEMORY] = "memory",
	[PIDS] = "pids",
	[CPU] = "cpu",
	[CPUACCT] = "cpuacct",
};

static int open_base(const char *parent, struct cgroup_dirs *ret_base,
		     char message[CGROUP_MESSAGE_BYTES])
{
	for (size_t i = 0; i < CGROUP_DIRS_MAX; i++) {
		char path[PATH_MAX], below[PATH_MAX];
		int error = cgroup_find_mount("cgroup", controllers[i], path, sizeof path);

		if (!error &&
		    snprintf(below, sizeof below, "%s/%s", path, parent) >= (int)sizeof below)
			error = -ENAMETOOLONG;
		if (!error) {
			ret_base->fd[i] = open(below, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
			error = ret_base->fd[i] < 0 ? -errno : 0;
		}
		if (error) {
			snprintf(message, CGROUP_MESSAGE_BYTES,
				 "cgroup v1 controller \"%s\" is not usable: %s; mount it, or boot "
				 "with it enabled (cgroup_enable=%s)",
				 controllers[i], strerror(-error), controllers[i]);
			return error;
		}
	}
	return 0;
}

/* v1 children have limits without further ado. */
static int delegate(const struct cgroup_dirs *dirs)
{
	(void)dirs;
	return 0;
}

/* The limit with swap may never be below the one without, so the order depends
 * on the direction; without swap accounting there is no such file. */
static int limit_memory(const struct cgroup_dirs *dirs, uint64_t bytes)
{
	int dir_fd = dirs->fd[MEMORY];
	int plain = cgroup_write_number(dir_fd, "memory.limit_in_bytes", bytes);
	int swap = cgroup_write_number(dir_fd, "memory.memsw.limit_in_bytes", bytes);

	if (plain == -EINVAL) /* upwards */
		plain = cgroup_write_number(dir_fd, "memory.limit_in_bytes", bytes);
	if (!plain && swap == -EINVAL)
		swap = cgroup_write_number(dir_fd, "memory.memsw.limit_in_bytes", bytes);
	return plain ? plain : swap == -ENOENT ? 0 : swap;
}

static int limit(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits)
{
	int error = limit_memory(dirs, limits->memory_bytes);

	if (!error)
		error = cgroup_write_number(dirs->fd[PIDS], "pids.max", limits->processes);
	return error;
}

static int limit_cpu(const struct cgroup_dirs *dirs, uint64_t quota_us)
{
	return cgroup_write_number(dirs->fd[CPU], "cpu.cfs_quota_us", quota_us);
}

/* From 2 to 262144; 1024 is what every group has to begin with. */
static int weigh(const struct cgroup_dirs *dirs, uint64_t weight)
{
	return cgroup_write_number(dirs->fd[CPU], "cpu.shares", weight * 10 + 2);
}

/* Without a quota first: the kernel checks the two of them together. */
static int share_cpu(const struct cgroup_dirs *dirs, uint64_t quota_us, uint64_t period_us)
{
	int error = cgroup_write(dirs->fd[CPU], "cpu.cfs_quota_us", "-1");

	if (!error)
		error = cgroup_write_number(dirs->fd[CPU], "cpu.cfs_period_us", period_us);
	if (!error)
		error = cgroup_write_number(dirs->fd[CPU], "cpu.cfs_quota_us", quota_us);
	return error;
}

static int read_usage(const struct cgroup_dirs *dirs, struct cgroup_usage *usage)
{
	int error =
		cgroup_read_number(dirs->fd[MEMORY], "memory.usage_in_bytes", &usage->memory_bytes);

	if (!error)
		error = cgroup_read_key(dirs->fd[MEMORY], "memory.oom_control", "oom_kill",
					&usage->oom_kills);
	if (!error)
		error = cgroup_read_key(dirs->fd[PIDS], "pids.events", "max",
					&usage->forks_refused);
	return error;
}

static uint64_t parse_cpu_us(const char *text)
{
	return strtoull(text, NULL, 10) / 1000; /* nanoseconds */
}

const struct cgroup_version cgroup_v1 = {
	.name = "v1",
	.dirs = CGROUP_DIRS_MAX,
	.members = PIDS,
	.memory = MEMORY,
	.door = "tasks", /* one thread moves itself at once; cgroup.procs waits */
	.open_base = open_base,
	.delegate = delegate,
	.limit = limit,
	.limit_memory = limit_memory,
	.limit_cpu = limit_cpu,
	.weigh = weigh,
	.share_cpu = share_cpu,
	.meters = { { CPUACCT, "cpuacct.usage" },
		    { MEMORY, "memory.max_usage_in_bytes" },
		    { PIDS, "pids.current" } },
	.parse_cpu_us = parse_cpu_us,
	.read_usage = read_usage,
};
