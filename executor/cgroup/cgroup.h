/* cgroup.h - memory, processes and CPU of a sandbox, by cgroup v1 or v2.
 *
 * Which version is in use is found out, not configured. The daemon makes one
 * group of its own beneath the root it may use and one child a sandbox; it
 * touches no group of anybody else's. All limits and all accounting come from
 * these files, never from what a sandbox says. */
#ifndef VIVARIUM_CGROUP_H
#define VIVARIUM_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_tree;
struct cgroup;

enum { CGROUP_MESSAGE_BYTES = 256 };

struct cgroup_limits {
	uint64_t memory_bytes;
	uint64_t processes;
	uint64_t cpu_percent; /* of one CPU: 100 is one whole CPU */
};

struct cgroup_usage {
	uint64_t cpu_us;
	uint64_t memory_bytes;      /* now */
	uint64_t memory_peak_bytes;
	uint64_t oom_kills;         /* processes killed for memory, since creation */
	uint64_t forks_refused;     /* by the process limit, since creation */
};

/* Find a usable hierarchy and make the daemon's group `name` in it; what a
 * killed predecessor of the same name left is killed and removed first. With
 * `parent` not empty, the group is made below that path of the hierarchy.
 * 0; or -errno with what is missing and how to mend it in message[]. */
int cgroup_tree_open(const char *parent, const char *name, struct cgroup_tree **ret_tree,
		     char message[CGROUP_MESSAGE_BYTES]);

/* Without any: every operation below then succeeds and reports nought. */
int cgroup_tree_none(struct cgroup_tree **ret_tree);

/* What all children together may use; a limit of CPU is not meant. 0 or -errno. */
int cgroup_tree_limit(struct cgroup_tree *tree, const struct cgroup_limits *limits);

/* What all children together may read from the machine's disks in a second. */
struct cgroup_reads {
	uint64_t bytes;
	uint64_t calls;
};

/* 0; or -errno where no controller can do that: -ENOENT, there is none. `parent` as for
 * cgroup_tree_open(). */
int cgroup_tree_limit_reads(struct cgroup_tree *tree, const char *parent,
			    const struct cgroup_reads *most);
/* On so many disks. */
size_t cgroup_tree_limited_disks(const struct cgroup_tree *tree);
/* A descriptor to which a process writes "0" so that this holds for it and its forks, the
 * tree's; -1: being in a child is enough. */
int cgroup_tree_reads_door(const struct cgroup_tree *tree);

/* "v1", "v2" or "none". */
const char *cgroup_tree_version(const struct cgroup_tree *tree);

/* A process that moves in waits for a grace period of the kernel: version 2, and mounted
 * without favordynmods. */
bool cgroup_tree_waits(const struct cgroup_tree *tree);

/* Remove the daemon's group; all children must have been destroyed. */
void cgroup_tree_close(struct cgroup_tree *tree);

/* Make child `name`, or take the idle one of that name. 0, or -errno with nothing left
 * behind. Creating, destroying and trimming may happen in several threads. */
int cgroup_create(struct cgroup_tree *tree, const char *name, const struct cgroup_limits *limits,
		  struct cgroup **ret_cgroup);

/* Change the limits of a living group; a limit below the present use makes the
 * kernel reclaim or kill. 0 or -errno. */
int cgroup_limit(struct cgroup *cgroup, const struct cgroup_limits *limits);

/* How much of the CPU it gets where several want it, against other groups of the tree:
 * from 1 to CGROUP_WEIGHT_FULL, which a new one has. 0 or -errno. */
enum { CGROUP_WEIGHT_FULL = 10000 };
int cgroup_weigh(struct cgroup *cgroup, uint64_t weight);

/* At most so much of one CPU, in thousandths, given once a second: for who should do next
 * to nothing. 0: as it was created with again. 0 or -errno. */
int cgroup_hold_cpu(struct cgroup *cgroup, uint64_t permille);

/* Change this limit alone; 0 refuses every further fork. 0 or -errno. */
int cgroup_limit_processes(struct cgroup *cgroup, uint64_t processes);

/* Likewise. What is used already, but for what the kernel can drop, must be less. */
int cgroup_limit_memory(struct cgroup *cgroup, uint64_t bytes);

/* What of its memory is copies of files on a disk, which the kernel drops when it wants
 * the room. 0 or -errno. */
int cgroup_read_cache(const struct cgroup *cgroup, uint64_t *ret_bytes);

/* Descriptors by which a process with one thread moves itself in, by writing "0" to each:
 * it needs no right to do so, and need not see the hierarchy. Nobody moves another one, as
 * for that the kernel waits for a grace period (8 ms and more after 20 ms without a move).
 * For the caller to close; how many there are (0: without cgroups), or -errno. */
enum { CGROUP_DOORS_MAX = 4 };
int cgroup_open_doors(const struct cgroup *cgroup, int ret_fds[CGROUP_DOORS_MAX]);

/* CPU time and memory peak (NULL: not wanted) alone, which cost one system call each. 0 or
 * -errno. */
int cgroup_read_meters(const struct cgroup *cgroup, uint64_t *ret_cpu_us, uint64_t *ret_peak_bytes);

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret_usage);

/* Let the peak begin again at what is used now. 0; or -errno where the kernel cannot do
 * that (cgroup v2 before Linux 6.12), and it stays the peak since creation. */
int cgroup_reset_peak(const struct cgroup *cgroup);

/* How many tasks (processes and threads) it has; -ENOTSUP without cgroups, or
 * -errno. */
long cgroup_count_tasks(const struct cgroup *cgroup);

/* Ids of at most `capacity` processes in it; the count, or -errno. */
long cgroup_list(const struct cgroup *cgroup, pid_t *pids, size_t capacity);

/* Give it up; it may stay as an idle one, for the next cgroup_create(). 0; or -EBUSY while
 * a process is in it, and then the group still exists. */
int cgroup_destroy(struct cgroup *cgroup);

/* Remove the idle ones: at rest nothing is to tell how many runs there have been. */
void cgroup_tree_trim(struct cgroup_tree *tree);

#endif
