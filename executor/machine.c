#define _GNU_SOURCE
#include "executor/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "executor/run/profile.h"
#include "executor/zygotes/template_root.h"

enum {
	DESCRIPTORS_OF_OURS = 256, /* zygotes, the loop, cgroups' roots, logs */
	/* Of a sandbox: its init's socket and pidfd, interpreter, listener, pipes and stdin, its
	 * cgroup's directories and meters, its workspace; and the call. A session has
	 * checkpoints besides. */
	DESCRIPTORS_A_RUN = 22,
	DESCRIPTORS_A_SESSION = 25,
	DESCRIPTORS_A_CALL = 3,
	PIDS_DEFAULT = 32768,
	RUNNING_LEAST = 16, /* weights (run_parts.h), not this number, keep short runs quick */
	RUNNING_MOST = 512,
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t descriptors_beside_runs(const struct options *options)
{
	return DESCRIPTORS_OF_OURS + options->sessions * DESCRIPTORS_A_SESSION +
	       options->pool * DESCRIPTORS_A_RUN + options->queue * DESCRIPTORS_A_CALL;
}

/* So many runs they are enough for. */
static uint64_t runs_with_descriptors(const struct options *options)
{
	uint64_t beside = descriptors_beside_runs(options);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max <= beside)
		return 0;
	return (limit.rlim_max - beside) / DESCRIPTORS_A_RUN;
}

int machine_raise_descriptors(const struct options *options, char message[MACHINE_MESSAGE_BYTES])
{
	uint64_t needed = descriptors_beside_runs(options) + options->running * DESCRIPTORS_A_RUN;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max >= needed)
		return 0;
	snprintf(
		message, MACHINE_MESSAGE_BYTES,
		"%llu sessions and %llu runs may need %llu open files, and %llu are allowed; allow "
		"more (ulimit -n, LimitNOFILE=, a container's ulimits), or set sessions lower",
		(unsigned long long)options->sessions, (unsigned long long)options->running,
		(unsigned long long)needed, (unsigned long long)limit.rlim_max);
	return -EMFILE;
}

static uint64_t read_pid_max(void)
{
	char text[32];
	AUTO_FD fd = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	text[got > 0 ? got : 0] = '\0';
	unsigned long long most = strtoull(text, NULL, 10);
	return most ? most : PIDS_DEFAULT;
}

static uint64_t read_memory_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static void settle(uint64_t *setting, uint64_t otherwise)
{
	if (!*setting)
		*setting = otherwise ? otherwise : 1;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : smaller(value, most);
}

void machine_settle(struct options *options)
{
	uint64_t run_bytes = profiles[PROFILE_NATIVE].limits.memory_bytes / 2;

	settle(&options->sandboxes_memory_bytes, read_memory_bytes() / 4 * 3);
	settle(&options->sandboxes_files_bytes, read_memory_bytes() / 8);
	settle(&options->sandboxes_processes, read_pid_max() / 2);
	uint64_t running = smaller(options->sandboxes_memory_bytes / run_bytes,
				   runs_with_descriptors(options));

	settle(&options->running, clamp(running, RUNNING_LEAST, RUNNING_MOST));
	settle(&options->running_per_client, (options->running * 3 + 3) / 4);
	settle(&options->queue_per_client, (options->queue * 3 + 3) / 4);
}

void machine_protect_daemon(void)
{
	AUTO_FD fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)dprintf(fd, "%d", OOM_SCORE_DAEMON);
}

/* -- capabilities -------------------------------------------------------------------- */

/* Why each, in docs/SECURITY.md too. */
static const cap_value_t needed[] = {
	CAP_SYS_ADMIN,    /* mounts, entering the pid namespaces of sandboxes */
	CAP_SETUID,       /* to write uid_map; to leave root in the zygotes */
	CAP_SETGID,       /* gid_map, groups */
	CAP_CHOWN,        /* a workspace belongs to its sandbox */
	CAP_DAC_OVERRIDE, /* files in a workspace, the inits' /proc files */
	CAP_KILL,         /* sandboxes have other uids */
	CAP_SYS_CHROOT,   /* last: the template's root where pivot_root is refused */
};

/* Kept where we have it, for the oom scores alone: only with it does a score that is set
 * become one that the sandbox's programs cannot lower. */
static const cap_value_t optional = CAP_SYS_RESOURCE;

/* How many of them: the last one only in Docker's containers. */
static int needed_count(void)
{
	int all = sizeof needed / sizeof *needed;

	return root_pivot_refused() ? all : all - 1;
}

static int check_present(cap_t now, int count, char message[CAPS_MESSAGE_BYTES])
{
	for (int i = 0; i < count; i++) {
		cap_flag_value_t has = CAP_CLEAR;
		char *name;

		if (!cap_get_flag(now, needed[i], CAP_PERMITTED, &has) && has == CAP_SET)
			continue;
		name = cap_to_name(needed[i]);
		snprintf(message, CAPS_MESSAGE_BYTES,
			 "%s is missing; run as root, or give the container: cap_add %s",
			 name ? name : "a capability", caps_needed_text());
		cap_free(name);
		return -EPERM;
	}
	return 0;
}

static int is_needed(cap_value_t value, int count)
{
	if (value == optional)
		return 1;
	for (int i = 0; i < count; i++)
		if (needed[i] == value)
			return 1;
	return 0;
}

static int shrink_bounding_set(int count)
{
	/* dropping takes CAP_SETPCAP: without it what is bounding was set by
	 * whoever started us */
	for (cap_value_t value = 0; prctl(PR_CAPBSET_READ, value, 0, 0, 0) >= 0; value++)
		if (!is_needed(value, count) && prctl(PR_CAPBSET_DROP, value, 0, 0, 0) &&
		    errno != EPERM)
			return -errno;
	return 0;
}

static int set_only_needed(cap_t now, int count)
{
	cap_flag_value_t has = CAP_CLEAR;
	cap_t only = cap_init();
	int error = 0;

	if (!only)
		return -ENOMEM;
	(void)cap_get_flag(now, optional, CAP_PERMITTED, &has);
	if (cap_set_flag(only, CAP_PERMITTED, count, needed, CAP_SET) ||
	    cap_set_flag(only, CAP_EFFECTIVE, count, needed, CAP_SET) ||
	    cap_set_flag(only, CAP_PERMITTED, 1, &optional, has) ||
	    cap_set_flag(only, CAP_EFFECTIVE, 1, &optional, has) || cap_set_proc(only))
		error = -errno;
	cap_free(only);
	return error;
}

int caps_keep_needed(char message[CAPS_MESSAGE_BYTES])
{
	cap_t now = cap_get_proc();
	int count = needed_count();
	int error;

	if (!now)
		return -errno;
	error = check_present(now, count, message);
	if (!error) {
		snprintf(message, CAPS_MESSAGE_BYTES, "capabilities cannot be dropped");
		error = shrink_bounding_set(count);
	}
	if (!error)
		error = set_only_needed(now, count);
	cap_free(now);
	if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		error = -errno;
	return error;
}

const char *caps_needed_text(void)
{
	return needed_count() == sizeof needed / sizeof *needed
		       ? "SYS_ADMIN, SETUID, SETGID, CHOWN, DAC_OVERRIDE, KILL, SYS_CHROOT"
		       : "SYS_ADMIN, SETUID, SETGID, CHOWN, DAC_OVERRIDE, KILL";
}

/* -- the lock ------------------------------------------------------------------------ */

/* What the holder has written; it may be about to. */
static long holder(int fd)
{
	char text[24] = "";
	ssize_t got = pread(fd, text, sizeof text - 1, 0);

	return got > 0 ? strtol(text, NULL, 10) : 0;
}

int instance_lock(const char *socket, const char *role, char message[INSTANCE_MESSAGE_BYTES])
{
	char path[PATH_MAX];

	/* never removed: who waits for a removed one would hold nothing */
	snprintf(path, sizeof path, "%s%s.lock", socket, role);
	AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB)) {
		if (!ftruncate(fd, 0) && dprintf(fd, "%ld\n", (long)getpid()) > 0) {
			(void)take_fd(&fd); /* kept open until the process ends */
			return 0;
		}
	}
	int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (error == -EBUSY)
		snprintf(message, INSTANCE_MESSAGE_BYTES,
			 "process %ld holds %.200s already: only one executor can use a socket, "
			 "its cgroup and its uids",
			 holder(fd), path);
	else
		snprintf(message, INSTANCE_MESSAGE_BYTES, "cannot lock %.200s: %s", path,
			 strerror(-error));
	return error;
}

/* -- for the doctor ------------------------------------------------------------------ */

/* The kernel's own answer; 0 without Landlock. */
static int landlock_version(void)
{
	enum { CREATE_RULESET_VERSION = 1 };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* A crash inside would be handed to a program of the host. */
static void print_core_pattern(FILE *out)
{
	char pattern[128] = "";
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");

	if (file) {
		if (!fgets(pattern, sizeof pattern, file))
			pattern[0] = '\0';
		fclose(file);
	}
	pattern[strcspn(pattern, "\n")] = '\0';
	fprintf(out, "  %-22s %s%s\n", "core_pattern", pattern,
		*pattern == '|' ? "  (a crash inside starts this program on the host; better: "
				  "sysctl kernel.core_pattern=core)"
				: "");
}

/* With their modules loaded each new network namespace gets such devices. To register one
 * (loopback) takes 0.2 ms of CPU, and it must be taken apart again. */
static void print_tunnels(FILE *out)
{
	static const char *const names[] = { "tunl0",   "gre0",    "gretap0",  "erspan0", "sit0",
					     "ip_vti0", "ip6tnl0", "ip6_vti0", "ip6gre0" };
	char path[64], wanted = '1', only[] = "/proc/sys/net/core/fb_tunnels_only_for_init_net";
	FILE *file = fopen(only, "re");
	int count = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "/sys/class/net/%s", names[i]);
		count += !access(path, F_OK);
	}
	if (file) {
		wanted = (char)fgetc(file);
		fclose(file);
	}
	if (count && wanted == '0')
		fprintf(out,
			"  %-22s %d in each sandbox too, down; better and faster: sysctl "
			"net.core.fb_tunnels_only_for_init_net=1\n",
			"tunnels", count);
}

void machine_print(FILE *out)
{
	fprintf(out, "  %-22s %d\n", "Landlock version", landlock_version());
	print_core_pattern(out);
	print_tunnels(out);
}
