#define _GNU_SOURCE
#include "zygote/child_enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/filter.h"

/* The kernel's interface, from Documentation/userspace-api/landlock.rst; build
 * machines may have older headers than the kernel that runs. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* version 4 */
	uint64_t scoped;             /* version 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_ALL_V1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,     /* version 2 */
	FS_TRUNCATE = 1 << 14,  /* version 3 */
	FS_IOCTL_DEV = 1 << 15, /* version 5 */
	NET_ALL = 3,            /* bind and connect, TCP */
	SCOPE_ALL = 3,          /* abstract sockets and signals */
};

static int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

static uint64_t handled_access(int version)
{
	uint64_t access = FS_ALL_V1;

	if (version >= 2)
		access |= FS_REFER;
	if (version >= 3)
		access |= FS_TRUNCATE;
	if (version >= 5)
		access |= FS_IOCTL_DEV;
	return access;
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	struct path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0))
		return -errno;
	return 0;
}

static int add_rules(int ruleset, uint64_t all)
{
	static const char *const writable[] = { "/workspace", "/tmp", "/dev/shm" };
	static const char *const sinks[] = { "/dev/null", "/dev/zero", "/dev/full" };
	const uint64_t read_only = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
	int error = allow(ruleset, "/", read_only);

	for (size_t i = 0; !error && i < sizeof writable / sizeof *writable; i++)
		error = allow(ruleset, writable[i], all);
	/* opening "for writing" truncates as a rule, also where that means nothing */
	for (size_t i = 0; !error && i < sizeof sinks / sizeof *sinks; i++)
		error = allow(ruleset, sinks[i],
			      all & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE));
	/* of all that /proc has for writing the process's own name, not its oom_score_adj */
	if (!error)
		error = allow(ruleset, "/proc/self/comm",
			      all & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE));
	return error;
}

/* Read and execute what is mounted, write only in the writable mounts, no TCP, no signals or
 * abstract sockets beyond its own kind. Needs no_new_privs. 0 also without Landlock. */
static int landlock_apply(void)
{
	int version = landlock_version();

	if (!version)
		return 0;

	struct ruleset_attr attr = { .handled_access_fs = handled_access(version) };
	size_t size = offsetof(struct ruleset_attr, handled_access_net);
	if (version >= 4) {
		attr.handled_access_net = NET_ALL;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (version >= 6) {
		attr.scoped = SCOPE_ALL;
		size = sizeof attr;
	}

	AUTO_FD ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	int error = add_rules(ruleset, attr.handled_access_fs);
	if (error)
		return error;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

/* -- the steps, in order ------------------------------------------------------------- */

enum { STACK_BYTES = 8 << 20, SIGNALS_PENDING = 256 };

static int close_others(const struct child_plan *plan)
{
	unsigned first = 3;

	if (plan->keep_fd >= 0) {
		if (plan->keep_fd > 3 && close_range(3, (unsigned)plan->keep_fd - 1, 0))
			return -errno;
		first = (unsigned)plan->keep_fd + 1;
	}
	return close_range(first, ~0u, 0) ? -errno : 0;
}

static int own_session(const struct child_plan *plan)
{
	(void)plan;
	if (setsid() < 0)
		return -errno;
	umask(022);
	return chdir("/workspace") ? -errno : 0;
}

static int limit_resources(const struct child_plan *plan)
{
	const struct {
		int resource;
		rlim_t soft, hard;
	} limits[] = {
		{ RLIMIT_CORE, 0, 0 },
		{ RLIMIT_MEMLOCK, 0, 0 },
		{ RLIMIT_MSGQUEUE, 0, 0 },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
		{ RLIMIT_STACK, STACK_BYTES, STACK_BYTES },
		{ RLIMIT_SIGPENDING, SIGNALS_PENDING, SIGNALS_PENDING },
		{ RLIMIT_NPROC, plan->processes, plan->processes },
	};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit = { limits[i].soft, limits[i].hard };
		struct rlimit now;

		/* never upwards: the daemon's own limits hold as well */
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &now))
			return -errno;
		if (now.rlim_max < limit.rlim_max)
			limit.rlim_max = now.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit))
			return -errno;
	}
	return 0;
}

int child_empty_bounding_set(void)
{
	for (unsigned long capability = 0;; capability++) {
		int there = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		if (there < 0) /* EINVAL: past the last one that this kernel knows */
			return errno == EINVAL && capability > CAP_SYS_ADMIN ? 0 : -errno;
		if (there && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			return -errno;
	}
}

/* init has done it for all: dropping them one by one takes 0.1 ms. */
static int empty_bounding_set(const struct child_plan *plan)
{
	(void)plan;
	return child_empty_bounding_set();
}

static int change_ids(const struct child_plan *plan)
{
	if (setresgid(plan->uid, plan->uid, plan->uid))
		return -errno;
	return setresuid(plan->uid, plan->uid, plan->uid) ? -errno : 0;
}

/* Leaving a uid other than 0 keeps the capabilities: they go here. */
static int drop_capabilities(const struct child_plan *plan)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)plan;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

/* Changing ids made the process undumpable, which gives its /proc files to the
 * host's root: programs could not read their own /proc/self/fd or name their
 * threads. Nobody but the program itself has its uid, and ptrace is filtered. */
static int own_proc_files(const struct child_plan *plan)
{
	(void)plan;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) ? -errno : 0;
}

static int no_new_privileges(const struct child_plan *plan)
{
	(void)plan;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int second_file_wall(const struct child_plan *plan)
{
	(void)plan;
	return landlock_apply();
}

/* The seccomp notification first: the base filter refuses further ones by seccomp(2). */
static int filter_calls(const struct child_plan *plan)
{
	if (plan->ret_listener) {
		int listener = filter_apply(FILTER_NOTIFICATION);

		if (listener < 0)
			return listener;
		*plan->ret_listener = listener;
	} else {
		int error = filter_apply(FILTER_COMMAND);

		if (error)
			return error;
	}
	return filter_apply(FILTER_BASE);
}

/* What was dropped must not come back. */
static int try_to_regain(const struct child_plan *plan)
{
	AUTO_FD written = -1;

	if (!setuid(0) || !setresuid(0, 0, 0) || !setgid(0) || getuid() != plan->uid ||
	    geteuid() != plan->uid || getegid() != plan->uid || !setuid(plan->uid ^ 1))
		return -EUCLEAN;
	if (!unshare(CLONE_NEWUSER) || !unshare(CLONE_NEWNS) || !chroot("/"))
		return -EUCLEAN;
	written = open("/etc/passwd", O_WRONLY | O_CLOEXEC);
	if (written >= 0)
		return -EUCLEAN;
	return 0;
}

struct step {
	const char *name;
	int (*take)(const struct child_plan *plan);
};

static const struct step steps[] = {
	{ "close descriptors", close_others },
	{ "own session and directory", own_session },
	{ "set resource limits", limit_resources },
	{ "empty the bounding set", empty_bounding_set },
	{ "change uid and gid", change_ids },
	{ "drop capabilities", drop_capabilities },
	{ "own /proc/self", own_proc_files },
	{ "set no_new_privs", no_new_privileges },
	{ "apply Landlock", second_file_wall },
	{ "apply seccomp", filter_calls },
	{ "stay unprivileged", try_to_regain },
};

int child_enter(const struct child_plan *plan, const char **ret_step)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int error = steps[i].take(plan);

		if (error) {
			*ret_step = steps[i].name;
			return error;
		}
	}
	return 0;
}
