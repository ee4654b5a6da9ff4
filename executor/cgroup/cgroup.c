#define _GNU_SOURCE
/* One group: how it is made and made again, its limits, its counters. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"
#include "common/owned.h"

enum {
	METER_BYTES = 64,
	/* What an empty group may be charged with and be used again: what the kernel counts in
	 * advance (256 kB a CPU) and frees late. It shows in the next peak. */
	LEFT_BYTES_MAX = 1 << 20,
};

void cgroup_close_dirs(struct cgroup_dirs *dirs)
{
	for (size_t i = 0; i < CGROUP_DIRS_MAX; i++)
		owned_close(&dirs->fd[i]);
}

/* v1 controllers may share a hierarchy; then the same directory is met twice,
 * which making and removing below allow for. */
int cgroup_make_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		     const char *name, struct cgroup_dirs *ret_dirs)
{
	for (size_t i = 0; i < version->dirs; i++) {
		int fd = cgroup_open_dir(parent->fd[i], name, true);

		if (fd < 0)
			return fd;
		ret_dirs->fd[i] = fd;
	}
	return 0;
}

int cgroup_remove_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		       const char *name)
{
	int error = 0;

	for (size_t i = 0; i < version->dirs; i++)
		if (unlinkat(parent->fd[i], name, AT_REMOVEDIR) && errno != ENOENT)
			error = -errno;
	return error;
}

static void open_meters(struct cgroup *cgroup)
{
	const struct cgroup_version *version = cgroup->version;

	for (size_t i = 0; version && i < CGROUP_METERS; i++) {
		int dir = cgroup->dirs.fd[version->meters[i].dir];
		const char *file = version->meters[i].file;

		/* a peak that can be written to begins again at that */
		cgroup->meters[i] = openat(dir, file, O_RDWR | O_CLOEXEC);
		if (cgroup->meters[i] < 0)
			cgroup->meters[i] = openat(dir, file, O_RDONLY | O_CLOEXEC);
	}
}

static void close_and_free(struct cgroup *cgroup)
{
	for (size_t i = 0; i < CGROUP_METERS; i++)
		owned_close(&cgroup->meters[i]);
	cgroup_close_dirs(&cgroup->dirs);
	free(cgroup);
}

/* -- how one comes and goes ---------------------------------------------------- */

static uint64_t quota_us(const struct cgroup *cgroup)
{
	return cgroup->limits.cpu_percent * CGROUP_PERIOD_US / 100;
}

/* Also where it is as it was: what the last use owes for its CPU time would be the next
 * one's to pay. */
static int limit_cpu(struct cgroup *cgroup)
{
	return cgroup->limits.cpu_percent
		       ? cgroup->version->limit_cpu(&cgroup->dirs, quota_us(cgroup))
		       : 0;
}

int cgroup_make(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		const char *name, const struct cgroup_limits *limits, struct cgroup **ret_cgroup)
{
	struct cgroup *cgroup = calloc(1, sizeof *cgroup);
	int error = 0;

	if (!cgroup)
		return -ENOMEM;
	cgroup->version = version;
	cgroup->dirs = CGROUP_NO_DIRS;
	for (size_t i = 0; i < CGROUP_METERS; i++)
		cgroup->meters[i] = -1;
	snprintf(cgroup->name, sizeof cgroup->name, "%s", name);
	if (version) {
		error = cgroup_make_dirs(version, parent, name, &cgroup->dirs);
		if (!error)
			error = cgroup_limit(cgroup, limits);
		if (!error)
			error = cgroup_weigh(cgroup, CGROUP_WEIGHT_FULL);
	}
	if (error) {
		(void)cgroup_remove_dirs(version, parent, name);
		close_and_free(cgroup);
		return error;
	}
	open_meters(cgroup);
	*ret_cgroup = cgroup;
	return 0;
}

int cgroup_remove(struct cgroup *cgroup, const struct cgroup_dirs *parent)
{
	if (cgroup->version) {
		int error = cgroup_remove_dirs(cgroup->version, parent, cgroup->name);

		if (error)
			return error;
	}
	close_and_free(cgroup);
	return 0;
}

static bool reset_peak(const struct cgroup *cgroup)
{
	return pwrite(cgroup->meters[CGROUP_MEMORY_PEAK], "0", 1, 0) == 1;
}

bool cgroup_is_renewable(const struct cgroup *cgroup)
{
	return cgroup->version && reset_peak(cgroup);
}

int cgroup_renew(struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	struct cgroup_usage usage;
	int error = 0;

	cgroup->before = (struct cgroup_usage){ 0 };
	if (limits->memory_bytes != cgroup->limits.memory_bytes ||
	    limits->processes != cgroup->limits.processes)
		error = cgroup->version->limit(&cgroup->dirs, limits);
	if (!error) {
		cgroup->limits = *limits;
		error = cgroup->held ? cgroup_hold_cpu(cgroup, 0) : limit_cpu(cgroup);
	}
	if (!error && cgroup->weight != CGROUP_WEIGHT_FULL)
		error = cgroup_weigh(cgroup, CGROUP_WEIGHT_FULL);
	if (!error)
		error = cgroup_read_usage(cgroup, &usage);
	if (!error && (usage.memory_bytes > LEFT_BYTES_MAX || !reset_peak(cgroup)))
		error = -EBUSY;
	if (!error)
		cgroup->before = usage;
	return error;
}

/* -- what it may use ----------------------------------------------------------- */

int cgroup_limit(struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	if (!cgroup->version)
		return 0;
	int error = cgroup->version->limit(&cgroup->dirs, limits);
	cgroup->limits = error ? (struct cgroup_limits){ 0 } : *limits;
	return error ? error : limit_cpu(cgroup);
}

int cgroup_weigh(struct cgroup *cgroup, uint64_t weight)
{
	if (!cgroup->version)
		return 0;
	int error = cgroup->version->weigh(&cgroup->dirs, weight);
	if (!error)
		cgroup->weight = weight;
	return error;
}

int cgroup_hold_cpu(struct cgroup *cgroup, uint64_t permille)
{
	const struct cgroup_version *version = cgroup->version;

	if (!version || !cgroup->limits.cpu_percent)
		return 0;
	cgroup->held = permille != 0;
	return permille ? version->share_cpu(&cgroup->dirs, permille * 1000, 1000000)
			: version->share_cpu(&cgroup->dirs, quota_us(cgroup), CGROUP_PERIOD_US);
}

int cgroup_limit_processes(struct cgroup *cgroup, uint64_t processes)
{
	const struct cgroup_version *version = cgroup->version;

	if (!version)
		return 0;
	int error = cgroup_write_number(cgroup->dirs.fd[version->members], "pids.max", processes);
	if (!error)
		cgroup->limits.processes = processes;
	return error;
}

int cgroup_limit_memory(struct cgroup *cgroup, uint64_t bytes)
{
	if (!cgroup->version)
		return 0;
	int error = cgroup->version->limit_memory(&cgroup->dirs, bytes);
	cgroup->limits.memory_bytes = error ? 0 : bytes;
	return error;
}

int cgroup_read_cache(const struct cgroup *cgroup, uint64_t *ret_bytes)
{
	const struct cgroup_version *version = cgroup->version;
	uint64_t active = 0, inactive = 0;

	if (version) {
		int dir = cgroup->dirs.fd[version->memory];
		int error = cgroup_read_key(dir, "memory.stat", "active_file", &active);

		if (!error)
			error = cgroup_read_key(dir, "memory.stat", "inactive_file", &inactive);
		if (error)
			return error;
	}
	*ret_bytes = active + inactive;
	return 0;
}

/* -- who is in it, and what they have used ------------------------------------- */

int cgroup_open_doors(const struct cgroup *cgroup, int ret_fds[CGROUP_DOORS_MAX])
{
	const struct cgroup_version *version = cgroup->version;

	for (size_t i = 0; i < CGROUP_DOORS_MAX; i++)
		ret_fds[i] = -1;
	for (size_t i = 0; version && i < version->dirs; i++) {
		ret_fds[i] = openat(cgroup->dirs.fd[i], version->door, O_WRONLY | O_CLOEXEC);
		if (ret_fds[i] >= 0)
			continue;
		int error = -errno;
		while (i-- > 0)
			owned_close(&ret_fds[i]);
		return error;
	}
	return version ? (int)version->dirs : 0;
}

static int read_meter(int fd, char text[METER_BYTES])
{
	ssize_t got = pread(fd, text, METER_BYTES - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return got < 0 ? -errno : 0;
}

int cgroup_read_meters(const struct cgroup *cgroup, uint64_t *ret_cpu_us, uint64_t *ret_peak_bytes)
{
	const struct cgroup_version *version = cgroup->version;
	const int *meters = cgroup->meters;
	char cpu[METER_BYTES] = "0", peak[METER_BYTES] = "0";

	if (version) {
		int error = read_meter(meters[CGROUP_CPU_TIME], cpu);

		if (error)
			return error;
		if (ret_peak_bytes && meters[CGROUP_MEMORY_PEAK] >= 0 &&
		    read_meter(meters[CGROUP_MEMORY_PEAK], peak))
			return -EIO;
	}
	*ret_cpu_us = version ? version->parse_cpu_us(cpu) - cgroup->before.cpu_us : 0;
	if (ret_peak_bytes)
		*ret_peak_bytes = strtoull(peak, NULL, 10);
	return 0;
}

int cgroup_reset_peak(const struct cgroup *cgroup)
{
	return !cgroup->version || reset_peak(cgroup) ? 0 : -EOPNOTSUPP;
}

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret_usage)
{
	struct cgroup_usage usage = { 0 };
	int error = cgroup_read_meters(cgroup, &usage.cpu_us, &usage.memory_peak_bytes);

	if (!error && cgroup->version)
		error = cgroup->version->read_usage(&cgroup->dirs, &usage);
	if (error)
		return error;
	if (cgroup->meters[CGROUP_MEMORY_PEAK] < 0) /* cgroup v2 before Linux 5.19 */
		usage.memory_peak_bytes = usage.memory_bytes;
	usage.oom_kills -= cgroup->before.oom_kills;
	usage.forks_refused -= cgroup->before.forks_refused;
	*ret_usage = usage;
	return 0;
}

long cgroup_count_tasks(const struct cgroup *cgroup)
{
	char text[METER_BYTES];

	if (!cgroup->version)
		return -ENOTSUP;
	int error = read_meter(cgroup->meters[CGROUP_TASKS], text);
	return error ? error : strtol(text, NULL, 10);
}

long cgroup_list(const struct cgroup *cgroup, pid_t *pids, size_t capacity)
{
	const struct cgroup_version *version = cgroup->version;
	size_t count = 0;
	long pid;

	if (!version)
		return 0;
	int fd = openat(cgroup->dirs.fd[version->members], "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *members = fd < 0 ? NULL : fdopen(fd, "r");
	if (!members) {
		owned_close(&fd);
		return -EIO;
	}
	while (count < capacity && fscanf(members, "%ld", &pid) == 1)
		pids[count++] = (pid_t)pid;
	fclose(members);
	return (long)count;
}
