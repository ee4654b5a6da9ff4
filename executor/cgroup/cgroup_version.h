/* cgroup_version.h - the inside of the cgroups, for the cgroup*.c files alone: what is asked
 * of each version of the interface, and one group, whoever makes it. */
#ifndef VIVARIUM_CGROUP_VERSION_H
#define VIVARIUM_CGROUP_VERSION_H

#include <stdbool.h>

#include "executor/cgroup/cgroup.h"

/* v1 has a directory a controller, v2 one in all. */
enum { CGROUP_DIRS_MAX = CGROUP_DOORS_MAX };

enum { CGROUP_PERIOD_US = 100000 }; /* of the CPU quota */

struct cgroup_dirs {
	int fd[CGROUP_DIRS_MAX]; /* -1: not used */
};

#define CGROUP_NO_DIRS ((struct cgroup_dirs){ .fd = { -1, -1, -1, -1 } })

enum { CGROUP_CPU_TIME, CGROUP_MEMORY_PEAK, CGROUP_TASKS, CGROUP_METERS };

struct cgroup_version {
	const char *name;
	size_t dirs; /* how many of the directories it uses */
	size_t members; /* the one whose cgroup.procs is read */
	size_t memory;  /* the one with memory.stat */
	const char *door; /* the file in which a process writes "0" for itself */

	/* Open the directories below which the daemon makes its group, ready for
	 * children with limits. 0 or -errno with message[]. */
	int (*open_base)(const char *parent, struct cgroup_dirs *ret_base,
			 char message[CGROUP_MESSAGE_BYTES]);
	/* Let children of the daemon's group have limits. */
	int (*delegate)(const struct cgroup_dirs *dirs);
	/* Of memory and processes. */
	int (*limit)(const struct cgroup_dirs *dirs, const struct cgroup_limits *limits);
	int (*limit_memory)(const struct cgroup_dirs *dirs, uint64_t bytes);
	/* CPU time in every CGROUP_PERIOD_US, which is the period as a group is made. What it
	 * owes for time used beyond its quota is forgiven. */
	int (*limit_cpu)(const struct cgroup_dirs *dirs, uint64_t quota_us);
	/* 1 to CGROUP_WEIGHT_FULL. */
	int (*weigh)(const struct cgroup_dirs *dirs, uint64_t weight);
	/* CPU time in every so many microseconds. */
	int (*share_cpu)(const struct cgroup_dirs *dirs, uint64_t quota_us, uint64_t period_us);
	/* The files that are read all the time, and what the first one's text says. The
	 * second may be missing. */
	struct {
		size_t dir;
		const char *file;
	} meters[CGROUP_METERS];
	uint64_t (*parse_cpu_us)(const char *text);
	/* All else that is in it. 0 or -errno. */
	int (*read_usage)(const struct cgroup_dirs *dirs, struct cgroup_usage *usage);
};

extern const struct cgroup_version cgroup_v1;
extern const struct cgroup_version cgroup_v2;

int cgroup_make_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		     const char *name, struct cgroup_dirs *ret_dirs);
int cgroup_remove_dirs(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		       const char *name);
void cgroup_close_dirs(struct cgroup_dirs *dirs);

/* -- reading from disks (cgroup_io.c) ---------------------------------------------------- */

struct cgroup_io {
	int base, own; /* v1: a group of its own, and what is above it; v2: own alone */
	int door;      /* v1: its tasks */
	size_t disks;
};

#define CGROUP_NO_IO ((struct cgroup_io){ -1, -1, -1, 0 })

struct cgroup_io_place {
	bool v1;
	const char *parent, *name;
	int base_fd, own_fd; /* v2 */
};

/* 0 or -errno with nothing left behind. */
int cgroup_io_open(struct cgroup_io *io, const struct cgroup_io_place *place,
		   const struct cgroup_reads *most);
void cgroup_io_close(struct cgroup_io *io, const char *name);

/* -- one group ------------------------------------------------------------------------- */

struct cgroup {
	struct cgroup_tree *tree;
	struct cgroup *next;                  /* an idle one: in its tree's list */
	const struct cgroup_version *version; /* NULL: none */
	struct cgroup_dirs dirs;
	int meters[CGROUP_METERS];
	char name[48];
	struct cgroup_limits limits; /* as they were written last */
	uint64_t weight;
	bool held; /* cgroup_hold_cpu() */
	struct cgroup_usage before; /* counters that cannot be reset, as they were when it was taken */
};

/* Make it beneath `parent` with these limits. 0, or -errno with nothing left behind. */
int cgroup_make(const struct cgroup_version *version, const struct cgroup_dirs *parent,
		const char *name, const struct cgroup_limits *limits, struct cgroup **ret_cgroup);

/* Remove its directory and free it. 0; or -errno, and then it still exists. */
int cgroup_remove(struct cgroup *cgroup, const struct cgroup_dirs *parent);

/* Can it be used again? Not where the kernel cannot reset the memory peak. */
bool cgroup_is_renewable(const struct cgroup *cgroup);

/* Make an empty one as good as new, with these limits. 0; -EBUSY: too much of its last use
 * is still charged to it; -errno. */
int cgroup_renew(struct cgroup *cgroup, const struct cgroup_limits *limits);

#endif
