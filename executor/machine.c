#include "executor/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "executor/run/profile.h"

enum {
	DESCRIPTORS_OF_OURS = 256, /* zygotes, the loop, cgroups' roots, logs */
	/* Of a sandbox: its init's socket and pidfd, interpreter, listener, pipes and stdin, its
	 * cgroup's directories and meters, its workspace; and the call. A session has
	 * checkpoints besides. */
	DESCRIPTORS_A_RUN = 21,
	DESCRIPTORS_A_SESSION = 24,
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
