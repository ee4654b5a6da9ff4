#define _GNU_SOURCE
#include "executor/cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"
#include "common/owned.h"

enum { CPU_TIME, MEMORY_PEAK, METERS, METER_BYTES = 64 };

struct cgroup_tree {
	const struct cgroup_version *version; /* NULL: none */
	struct cgroup_dirs base;              /* somebody else's: only made beneath */
	struct cgroup_dirs own;
	char name[64];
};

struct cgroup {
	struct cgroup_tree *tree;
	struct cgroup_dirs dirs;
	int meters[METERS];
	char name[48];
	uint64_t cpu_percent; /* when it is not held */
};

static void close_dirs(struct cgroup_dirs *dirs)
{
	for (size_t i = 0; i < CGROUP_DIRS_MAX; i++)
		owned_close(&dirs->fd[i]);
}

/* v1 controllers may share a hierarchy; then the same directory is met twice,
 * which making and removing below allow for. */
static int make_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
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

static int remove_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		       const char *name)
{
	int error = 0;

	for (size_t i = 0; i < version->dirs; i++)
		if (unlinkat(parent->fd[i], name, AT_REMOVEDIR) && errno != ENOENT)
			error = -errno;
	return error;
}

static int open_version(struct cgroup_tree *tree, const struct cgroup_version *version,
			const char *parent, char message[CGROUP_MESSAGE_BYTES])
{
	int error = version->open_base(parent, &tree->base, message);

	for (size_t i = 0; !error && i < version->dirs; i++)
		error = cgroup_purge(tree->base.fd[i], tree->name);
	if (!error)
		error = make_dirs(version, &tree->base, tree->name, &tree->own);
	if (!error)
		error = version->delegate(&tree->own);
	if (error) {
		close_dirs(&tree->base);
		close_dirs(&tree->own);
		return error;
	}
	tree->version = version;
	return 0;
}

static struct cgroup_tree *new_tree(const char *name)
{
	struct cgroup_tree *tree = calloc(1, sizeof *tree);

	if (tree) {
		tree->base = CGROUP_NO_DIRS;
		tree->own = CGROUP_NO_DIRS;
		snprintf(tree->name, sizeof tree->name, "%s", name);
	}
	return tree;
}

/* Whose message helps: that of the version that the host has controllers in. */
static bool v1_is_mounted(void)
{
	char path[PATH_MAX];

	return cgroup_find_mount("cgroup", "memory", path, sizeof path) != -ENOENT ||
	       cgroup_find_mount("cgroup", "pids", path, sizeof path) != -ENOENT;
}

int cgroup_tree_open(const char *parent, const char *name, struct cgroup_tree **ret_tree,
		     char message[CGROUP_MESSAGE_BYTES])
{
	char second[CGROUP_MESSAGE_BYTES] = "";
	struct cgroup_tree *tree = new_tree(name);

	snprintf(message, CGROUP_MESSAGE_BYTES, "cannot make the group %.60s", name);
	if (!tree)
		return -ENOMEM;
	/* v2 first: where both exist, the one with the controllers works */
	int error = open_version(tree, &cgroup_v2, parent, message);
	if (error && open_version(tree, &cgroup_v1, parent, second)) {
		if (v1_is_mounted())
			snprintf(message, CGROUP_MESSAGE_BYTES, "%.250s", second);
		free(tree);
		return error;
	}
	*ret_tree = tree;
	return 0;
}

int cgroup_tree_none(struct cgroup_tree **ret_tree)
{
	*ret_tree = new_tree("");
	return *ret_tree ? 0 : -ENOMEM;
}

int cgroup_tree_limit(struct cgroup_tree *tree, const struct cgroup_limits *limits)
{
	return tree->version ? tree->version->limit(&tree->own, limits) : 0;
}

const char *cgroup_tree_version(const struct cgroup_tree *tree)
{
	return tree->version ? tree->version->name : "none";
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
	if (!tree)
		return;
	if (tree->version)
		(void)remove_dirs(tree->version, &tree->base, tree->name);
	close_dirs(&tree->own);
	close_dirs(&tree->base);
	free(tree);
}

static void open_meters(struct cgroup *cgroup)
{
	const struct cgroup_version *version = cgroup->tree->version;

	for (size_t i = 0; version && i < METERS; i++) {
		int dir = cgroup->dirs.fd[version->meters[i].dir];
		const char *file = version->meters[i].file;

		/* a peak that can be written to begins again at that */
		cgroup->meters[i] = openat(dir, file, O_RDWR | O_CLOEXEC);
		if (cgroup->meters[i] < 0)
			cgroup->meters[i] = openat(dir, file, O_RDONLY | O_CLOEXEC);
	}
}

static void close_meters(struct cgroup *cgroup)
{
	for (size_t i = 0; i < METERS; i++)
		owned_close(&cgroup->meters[i]);
}

int cgroup_create(struct cgroup_tree *tree, const char *name, const struct cgroup_limits *limits,
		  struct cgroup **ret_cgroup)
{
	struct cgroup *cgroup = calloc(1, sizeof *cgroup);
	int error = 0;

	if (!cgroup)
		return -ENOMEM;
	cgroup->tree = tree;
	cgroup->cpu_percent = limits->cpu_percent;
	cgroup->dirs = CGROUP_NO_DIRS;
	cgroup->meters[CPU_TIME] = cgroup->meters[MEMORY_PEAK] = -1;
	snprintf(cgroup->name, sizeof cgroup->name, "%s", name);
	if (tree->version) {
		error = make_dirs(tree->version, &tree->own, name, &cgroup->dirs);
		if (!error)
			error = tree->version->limit(&cgroup->dirs, limits);
		if (!error)
			error = tree->version->weigh(&cgroup->dirs, CGROUP_WEIGHT_FULL);
	}
	if (error) {
		(void)remove_dirs(tree->version, &tree->own, name);
		close_dirs(&cgroup->dirs);
		free(cgroup);
		return error;
	}
	open_meters(cgroup);
	*ret_cgroup = cgroup;
	return 0;
}

int cgroup_limit(struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	const struct cgroup_version *version = cgroup->tree->version;

	return version ? version->limit(&cgroup->dirs, limits) : 0;
}

int cgroup_weigh(struct cgroup *cgroup, uint64_t weight)
{
	const struct cgroup_version *version = cgroup->tree->version;

	return version ? version->weigh(&cgroup->dirs, weight) : 0;
}

int cgroup_hold_cpu(struct cgroup *cgroup, uint64_t permille)
{
	const struct cgroup_version *version = cgroup->tree->version;

	if (!version || !cgroup->cpu_percent)
		return 0;
	return permille ? version->share_cpu(&cgroup->dirs, permille * 1000, 1000000)
			: version->share_cpu(&cgroup->dirs, cgroup->cpu_percent * 1000, 100000);
}

int cgroup_limit_processes(struct cgroup *cgroup, uint64_t processes)
{
	const struct cgroup_version *version = cgroup->tree->version;

	if (!version)
		return 0;
	return cgroup_write_number(cgroup->dirs.fd[version->members], "pids.max", processes);
}

int cgroup_attach(struct cgroup *cgroup, pid_t pid)
{
	const struct cgroup_version *version = cgroup->tree->version;

	for (size_t i = 0; version && i < version->dirs; i++) {
		int error = cgroup_write_number(cgroup->dirs.fd[i], "cgroup.procs", (uint64_t)pid);

		if (error)
			return error;
	}
	return 0;
}

static int read_meter(int fd, char text[METER_BYTES])
{
	ssize_t got = pread(fd, text, METER_BYTES - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return got < 0 ? -errno : 0;
}

int cgroup_read_meters(const struct cgroup *cgroup, uint64_t *ret_cpu_us, uint64_t *ret_peak_bytes)
{
	const struct cgroup_version *version = cgroup->tree->version;
	char cpu[METER_BYTES] = "0", peak[METER_BYTES] = "0";

	if (version) {
		int error = read_meter(cgroup->meters[CPU_TIME], cpu);

		if (error)
			return error;
		if (cgroup->meters[MEMORY_PEAK] >= 0 &&
		    read_meter(cgroup->meters[MEMORY_PEAK], peak))
			return -EIO;
	}
	*ret_cpu_us = version ? version->parse_cpu_us(cpu) : 0;
	*ret_peak_bytes = strtoull(peak, NULL, 10);
	return 0;
}

void cgroup_reset_peak(const struct cgroup *cgroup)
{
	(void)!pwrite(cgroup->meters[MEMORY_PEAK], "0", 1, 0);
}

long cgroup_count_tasks(const struct cgroup *cgroup)
{
	const struct cgroup_version *version = cgroup->tree->version;
	uint64_t count = 0;

	if (!version)
		return -ENOTSUP;
	int error = cgroup_read_number(cgroup->dirs.fd[version->members], "pids.current", &count);
	return error ? error : (long)count;
}

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret_usage)
{
	const struct cgroup_version *version = cgroup->tree->version;

	if (version)
		return version->read_usage(&cgroup->dirs, ret_usage);
	*ret_usage = (struct cgroup_usage){ 0 };
	return 0;
}

long cgroup_list(const struct cgroup *cgroup, pid_t *pids, size_t capacity)
{
	const struct cgroup_version *version = cgroup->tree->version;
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

int cgroup_destroy(struct cgroup *cgroup)
{
	const struct cgroup_version *version = cgroup->tree->version;

	if (version) {
		int error = remove_dirs(version, &cgroup->tree->own, cgroup->name);

		if (error)
			return error;
	}
	close_meters(cgroup);
	close_dirs(&cgroup->dirs);
	free(cgroup);
	return 0;
}
