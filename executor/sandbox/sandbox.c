#define _GNU_SOURCE
/* What an owner may ask of its sandbox, and know of it; all sandboxes together. */
#include "executor/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"
#include "executor/sandbox/mounts.h"

/* -- all sandboxes ---------------------------------------------------------- */

int sandboxes_new(const struct sandboxes_config *config, struct sandboxes **ret_sandboxes)
{
	struct sandboxes *all = calloc(1, sizeof *all);

	if (!all)
		return -ENOMEM;
	all->config = *config;
	all->report = sandbox_dispatch;
	*ret_sandboxes = all;
	return 0;
}

size_t sandboxes_count(const struct sandboxes *sandboxes)
{
	return sandboxes->count;
}

void sandboxes_free(struct sandboxes *sandboxes)
{
	if (!sandboxes)
		return;
	loop_clear_timer(sandboxes->config.loop, &sandboxes->watch);
	loop_clear_timer(sandboxes->config.loop, &sandboxes->settle);
	free(sandboxes);
}

int sandbox_create(struct sandboxes *sandboxes, struct zygote_pool *zygote_pool,
		   const struct sandbox_owner *owner, struct sandbox **ret_sandbox)
{
	if (!zygote_pool_warm_count(zygote_pool))
		return -EAGAIN;

	int slot = slots_take(sandboxes->config.slots);
	if (slot < 0)
		return slot;
	*ret_sandbox = sandbox_new(sandboxes, zygote_pool, owner, slot);
	if (*ret_sandbox)
		return 0;
	slots_give_back(sandboxes->config.slots, slot);
	return -ENOMEM;
}

void sandboxes_spawned(struct sandboxes *sandboxes, uint64_t cookie, pid_t pid, int pidfd)
{
	struct happening what = { .event = pid < 0 ? ON_SPAWN_FAILED : ON_SPAWNED,
				  .pid = pid,
				  .fd = &pidfd,
				  .step = "be spawned",
				  .error = (int)pid };

	for (struct sandbox *sandbox = sandboxes->first; sandbox; sandbox = sandbox->next) {
		if (sandbox->cookie == cookie) {
			sandbox->cookie = 0;
			(void)sandbox_dispatch(sandbox, &what);
			return;
		}
	}
	if (pidfd >= 0) /* nobody waits for it any more */
		sandboxes_discard_init(pid, pidfd);
}

static struct sandbox *find_owed(const struct sandboxes *sandboxes, uint64_t generation)
{
	struct sandbox *sandbox = sandboxes->first;

	while (sandbox && !(sandbox->cookie && sandbox->generation == generation))
		sandbox = sandbox->next;
	return sandbox;
}

void sandboxes_retired(struct sandboxes *sandboxes, uint64_t generation)
{
	struct sandbox *sandbox;

	while ((sandbox = find_owed(sandboxes, generation))) {
		sandbox->cookie = 0;
		(void)sandbox_dispatch(sandbox, &(struct happening){ .event = ON_SPAWN_FAILED,
								     .step = "be spawned",
								     .error = -ECHILD });
	}
}

/* -- what it is --------------------------------------------------------------- */

void sandbox_set_owner(struct sandbox *sandbox, const struct sandbox_owner *owner)
{
	sandbox->owner = *owner;
}

int sandbox_slot(const struct sandbox *sandbox)
{
	return sandbox->slot;
}

uint64_t sandbox_generation(const struct sandbox *sandbox)
{
	return sandbox->generation;
}

bool sandbox_is_idle(const struct sandbox *sandbox)
{
	return sandbox->state == SANDBOX_IDLE;
}

int sandbox_share_workspace(struct sandbox *sandbox, const struct ucred *peer)
{
	if (sandbox->shared >= 0 &&
	    (sandbox->shared_with.uid != peer->uid || sandbox->shared_with.gid != peer->gid))
		owned_close(&sandbox->shared);
	if (sandbox->shared < 0) {
		int shared = share_folder(sandbox->workspace.folder, sandbox_uid(sandbox),
					  peer->uid, peer->gid);

		if (shared < 0)
			return shared;
		sandbox->shared = shared;
		sandbox->shared_with = *peer;
	}
	int fd = openat(sandbox->shared, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sandbox_read_meters(const struct sandbox *sandbox, uint64_t *ret_cpu_us,
			uint64_t *ret_peak_bytes)
{
	return cgroup_read_meters(sandbox->cgroup, ret_cpu_us, ret_peak_bytes);
}

int sandbox_weigh(struct sandbox *sandbox, uint64_t weight)
{
	return cgroup_weigh(sandbox->cgroup, weight);
}

void sandbox_reset_peak(struct sandbox *sandbox)
{
	(void)cgroup_reset_peak(sandbox->cgroup);
}

struct cgroup_usage sandbox_seen_usage(const struct sandbox *sandbox)
{
	return sandbox->seen;
}

int sandbox_read_usage(struct sandbox *sandbox, struct cgroup_usage *ret_usage)
{
	int error = cgroup_read_usage(sandbox->cgroup, &sandbox->seen);

	if (!error)
		*ret_usage = sandbox->seen;
	return error;
}

int sandbox_read_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length,
			int32_t *ret_exit_code)
{
	const volatile struct mailbox *mailbox = sandbox->mailbox;

	*ret_exit_code = mailbox->exit_code;
	return job_copy_report(sandbox, MAILBOX_REPORT_MAX, ret_report, ret_length);
}

int sandbox_limit(struct sandbox *sandbox, const struct limits *limits)
{
	struct limits *now = &sandbox->limits;
	int error = 0;

	if (now->memory_bytes != limits->memory_bytes || now->processes != limits->processes) {
		struct cgroup_limits group = sandbox_group_limits(sandbox, limits);

		error = cgroup_limit(sandbox->cgroup, &group);
		sandbox->room = group.processes;
	}
	if (!error && (now->workspace_bytes != limits->workspace_bytes ||
		       now->workspace_inodes != limits->workspace_inodes))
		error = workspace_limit(&sandbox->workspace, limits->workspace_bytes,
					limits->workspace_inodes);
	if (!error)
		*now = *limits;
	return error;
}

int sandbox_signal(struct sandbox *sandbox, int signal)
{
	if (sandbox->interpreter.pidfd < 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, sandbox->interpreter.pidfd, signal, NULL, 0) ? -errno
											   : 0;
}

/* -- what is asked of it -------------------------------------------------------- */

int sandbox_start(struct sandbox *sandbox, const struct sandbox_job *job)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_START, .job = job });
}

int sandbox_give_input(struct sandbox *sandbox, const void *bytes, size_t length, bool eof)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_GIVE_INPUT,
							      .bytes = bytes,
							      .length = length,
							      .eof = eof });
}

int sandbox_start_command(struct sandbox *sandbox, const struct sandbox_job *job)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_COMMAND, .job = job });
}

int sandbox_kill_command(struct sandbox *sandbox)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_KILL_COMMAND });
}

int sandbox_checkpoint(struct sandbox *sandbox, size_t keep)
{
	return sandbox_dispatch(sandbox,
				&(struct happening){ .event = ON_CHECKPOINT, .count = keep });
}

int sandbox_fork(struct sandbox *sandbox)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_FORK });
}

int sandbox_join(struct sandbox *sandbox)
{
	return sandbox_dispatch(sandbox, &(struct happening){ .event = ON_JOIN });
}

int sandbox_restore(struct sandbox *sandbox, size_t drop, bool *ret_fresh)
{
	return sandbox_dispatch(
		sandbox,
		&(struct happening){ .event = ON_RESTORE, .count = drop, .ret_fresh = ret_fresh });
}

int sandbox_renew(struct sandbox *sandbox, unsigned programs)
{
	return sandbox_dispatch(sandbox,
				&(struct happening){ .event = ON_RENEW, .count = programs });
}

void sandbox_kill(struct sandbox *sandbox)
{
	(void)sandbox_dispatch(sandbox, &(struct happening){ .event = ON_KILL });
}
