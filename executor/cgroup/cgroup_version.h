/* cgroup_version.h - what cgroup.c asks of each version of the interface. */
#ifndef VIVARIUM_CGROUP_VERSION_H
#define VIVARIUM_CGROUP_VERSION_H

#include "executor/cgroup/cgroup.h"

/* v1 has a directory a controller, v2 one in all. */
enum { CGROUP_DIRS_MAX = 4 };

struct cgroup_dirs {
	int fd[CGROUP_DIRS_MAX]; /* -1: not used */
};

#define CGROUP_NO_DIRS ((struct cgroup_dirs){ .fd = { -1, -1, -1, -1 } })

struct cgroup_version {
	const char *name;
	size_t dirs; /* how many of the directories it uses */
	size_t members; /* the one whose cgroup.procs is read */

	/* Open the directories below which the daemon makes its group, ready for
	 * children with limits. 0 or -errno with message[]. */
	int (*open_base)(const char *parent, struct cgroup_dirs *ret_base,
			 char message[CGROUP_MESSAGE_BYTES]);
	/* Let children of the daemon's group have limits. */
	int (*delegate)(const struct cgroup_dirs *dirs);
	int (*limit)(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits);
	/* 1 to CGROUP_WEIGHT_FULL. */
	int (*weigh)(const struct cgroup_dirs *dirs, uint64_t weight);
	/* CPU time in every so many microseconds. */
	int (*share_cpu)(const struct cgroup_dirs *dirs, uint64_t quota_us, uint64_t period_us);
	/* The files of CPU time and memory peak, and what their texts say. The
	 * second may be missing. */
	struct {
		size_t dir;
		const char *file;
	} meters[2];
	uint64_t (*parse_cpu_us)(const char *text);
	int (*read_usage)(const struct cgroup_dirs *dirs, struct cgroup_usage *ret_usage);
};

extern const struct cgroup_version cgroup_v1;
extern const struct cgroup_version cgroup_v2;

/* Where a file system is mounted, from /proc/self/mountinfo: the first of type
 * `type` whose super options hold `option` (NULL: any). A read-only mount is
 * made writable if that is allowed. 0 or -errno. */
int cgroup_find_mount(const char *type, const char *option, char *ret_path, size_t size);

#endif
