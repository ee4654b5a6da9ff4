#define _GNU_SOURCE
#include "executor/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "executor/sandbox/notify.h"
#include "common/owned.h"
#include "common/packet.h"
#include "executor/sandbox/sandbox_parts.h"
#include "executor/sandbox/share.h"

enum { FREEZE_MS = 2000 }; /* hooks of the program run before a fork: they may hang */

/* -- all sandboxes ---------------------------------------------------------- */

int sandboxes_new(const struct sandboxes_config *config, struct sandboxes **ret_sandboxes)
{
	struct sandboxes *all = calloc(1, sizeof *all);

	if (!all)
		return -ENOMEM;
	all->config = *config;
	*ret_sandboxes = all;
	return 0;
}

size_t sandboxes_count(const struct sandboxes *sandboxes)
{
	return sandboxes->count;
}

void sandboxes_free(struct sandboxes *sandboxes)
{
	if (sandboxes)
		loop_clear_timer(sandboxes->config.loop, &sandboxes->watch);
	free(sandboxes);
}

int sandbox_ask_init(struct sandbox *sandbox, enum init_op op, pid_t pid, const int *fds,
		       size_t count)
{
	struct init_request request = {
		.op = op,
		.pid = pid,
		.limits = { .processes = sandbox_process_rlimit(sandbox) },
	};

	return packet_send(sandbox->init.fd, &request, sizeof request, fds, count);
}

/* -- init's events ------------------------------------------------------ */

static void on_listener(struct sandbox *sandbox, pid_t inside, int fd)
{
	struct loop *loop = sandbox->all->config.loop;

	loop_remove(loop, &sandbox->listener);
	owned_close(&sandbox->listener.fd);
	sandbox->interpreter_inside = inside;
	int error = loop_add(loop, &sandbox->listener, fd, EPOLLIN, sandbox_on_ring);
	if (error) {
		close(fd);
		sandbox_fail(sandbox, "listen to its interpreter", error);
	}
}

static void on_interpreter_died(struct sandbox *sandbox, int status)
{
	sandbox->interpreter_inside = 0;
	ringer_forget(&sandbox->interpreter);
	switch (sandbox->phase) {
	case SANDBOX_BUSY:
	case SANDBOX_ASKS:
	case SANDBOX_IDLE:
	case SANDBOX_FREEZES:
		sandbox_drain(sandbox,
			      sandbox->phase == SANDBOX_BUSY || sandbox->phase == SANDBOX_ASKS);
		if (sandbox->phase != SANDBOX_DIES && sandbox->phase != SANDBOX_SWEEPS)
			sandbox->owner.died(sandbox->owner.context, sandbox, status);
		break;
	case SANDBOX_SETS_UP:
	case SANDBOX_RETURNS:
		sandbox_fail(sandbox, "start its interpreter", -ECHILD);
		break;
	case SANDBOX_FORKS:
	case SANDBOX_JOINS:
		sandbox_fork_died(sandbox);
		break;
	case SANDBOX_COMMANDED: /* a thread of the program did it: after the command */
	case SANDBOX_SWEEPS:    /* as asked */
	case SANDBOX_WAITS_FOR_SPAWN:
	case SANDBOX_DIES:
		break;
	}
}

/* Its fork goes on; when that is over there is nothing to go back to. */
static void on_original_died(struct sandbox *sandbox)
{
	sandbox->original_inside = 0;
	ringer_forget(&sandbox->original);
	if (sandbox->phase == SANDBOX_FORKS || sandbox->phase == SANDBOX_JOINS)
		sandbox_fork_died(sandbox);
}

static void on_event(struct sandbox *sandbox, struct init_event *event, int *fd)
{
	switch (event->kind) {
	case EVENT_LISTENER:
		if (*fd >= 0)
			on_listener(sandbox, event->pid, take_fd(fd));
		break;
	case EVENT_PROCFS:
		if (*fd >= 0)
			sandbox_offer_procfs(sandbox, take_fd(fd));
		break;
	case EVENT_DIED:
		if (event->pid == sandbox->interpreter_inside)
			on_interpreter_died(sandbox, event->status);
		else if (event->pid == sandbox->original_inside)
			on_original_died(sandbox);
		else if (event->pid == sandbox->command.inside)
			sandbox_command_ended(sandbox, event->status);
		break;
	case EVENT_STARTED:
		sandbox_command_started(sandbox, event->pid);
		break;
	case EVENT_FAILED:
		event->step[sizeof event->step - 1] = '\0';
		sandbox_fail(sandbox, event->step, -event->error);
		break;
	default:
		sandbox_fail(sandbox, "understand its init", -EPROTO);
		break;
	}
}

static void on_init(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, init);
	struct init_event event;
	int fds[PACKET_FDS_MAX] = { -1, -1, -1, -1 };
	size_t count = 0;
	int got = packet_receive(source->fd, &event, sizeof event, fds, &count);

	(void)events;
	if (got == -EAGAIN)
		return;
	if (got <= 0) { /* its death is told by the pidfd */
		loop_remove(sandbox->all->config.loop, source);
		return;
	}
	if (sandbox->phase != SANDBOX_DIES)
		on_event(sandbox, &event, &fds[0]);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		owned_close(&fds[i]);
}

int sandbox_watch_init(struct sandbox *sandbox)
{
	return loop_add(sandbox->all->config.loop, &sandbox->init, sandbox->init.fd, EPOLLIN,
			on_init);
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
	return sandbox->phase == SANDBOX_IDLE;
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

int sandbox_workspace_full(const struct sandbox *sandbox)
{
	return workspace_full(&sandbox->workspace);
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
	cgroup_reset_peak(sandbox->cgroup);
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

/* -- jobs --------------------------------------------------------------------- */

int sandbox_limit(struct sandbox *sandbox, const struct limits *limits)
{
	struct limits *now = &sandbox->limits;
	int error = 0;

	if (now->memory_bytes != limits->memory_bytes || now->processes != limits->processes) {
		struct cgroup_limits group = sandbox_group_limits(sandbox, limits);

		error = cgroup_limit(sandbox->cgroup, &group);
	}
	if (!error && (now->workspace_bytes != limits->workspace_bytes ||
		       now->workspace_inodes != limits->workspace_inodes))
		error = workspace_limit(&sandbox->workspace, limits->workspace_bytes,
					limits->workspace_inodes);
	if (!error)
		*now = *limits;
	return error;
}

static int answer(struct sandbox *sandbox, int64_t order)
{
	uint64_t ring = sandbox->interpreter.ring;

	sandbox->interpreter.ring = 0;
	return notify_answer(sandbox->listener.fd, ring, order);
}

int sandbox_start(struct sandbox *sandbox, const struct sandbox_job *job)
{
	struct mailbox *mailbox = sandbox->mailbox;
	int error = 0;

	if (sandbox->phase != SANDBOX_IDLE)
		return -EBUSY;
	if (job->payload_length > MAILBOX_PAYLOAD_MAX ||
	    job->replay_length > MAILBOX_PAYLOAD_MAX - job->payload_length)
		return -EMSGSIZE;
	if (!sandbox->stdio_intact)
		error = sandbox_give_stdio(sandbox);
	if (!error)
		error = sandbox_give_stdin(sandbox, job->stdin_bytes, job->stdin_length);
	if (error)
		return error;
	/* what threads have printed since the last job, and not flushed, goes with this one */
	for (int i = 0; i < STREAMS; i++)
		sandbox_drain_stream(&sandbox->streams[i], false);
	uint8_t *payload = (uint8_t *)mailbox + MAILBOX_PAYLOAD_OFFSET;
	if (job->replay_length)
		memcpy(payload, job->replay, job->replay_length);
	if (job->payload_length)
		memcpy(payload + job->replay_length, job->payload, job->payload_length);
	mailbox->kind = job->kind;
	mailbox->flags = job->flags;
	mailbox->execution = job->execution;
	mailbox->open_files = job->open_files;
	mailbox->file_bytes = job->file_bytes;
	mailbox->replay_length = (uint32_t)job->replay_length;
	mailbox->payload_length = (uint32_t)(job->replay_length + job->payload_length);
	mailbox->report_length = 0;
	mailbox->exit_code = 0;
	sandbox->phase = SANDBOX_BUSY;
	sandbox_watch_text(sandbox, job->flags & MAILBOX_STREAMING);
	return answer(sandbox, ORDER_RUN);
}

bool sandbox_awaits_input(const struct sandbox *sandbox)
{
	return sandbox->phase == SANDBOX_ASKS;
}

int sandbox_give_input(struct sandbox *sandbox, const void *bytes, size_t length, bool eof)
{
	if (sandbox->phase != SANDBOX_ASKS)
		return -EBUSY;
	if (length > MAILBOX_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (length)
		memcpy((uint8_t *)sandbox->mailbox + MAILBOX_PAYLOAD_OFFSET, bytes, length);
	sandbox->mailbox->payload_length = (uint32_t)length;
	sandbox->phase = SANDBOX_BUSY;
	return answer(sandbox, ORDER_INPUT | (eof ? ORDER_EOF : 0));
}

/* A copy of the report area, for the caller to free. */
static int copy_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length)
{
	/* volatile: read once, what we check is what we use */
	const volatile struct mailbox *mailbox = sandbox->mailbox;
	uint32_t length = mailbox->report_length;

	if (length > MAILBOX_REPORT_MAX)
		length = 0;
	uint8_t *report = malloc(length + 1);
	if (!report)
		return -ENOMEM;
	memcpy(report, (const uint8_t *)sandbox->mailbox + MAILBOX_REPORT_OFFSET, length);
	*ret_report = report;
	*ret_length = length;
	return 0;
}

int sandbox_read_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length,
			int32_t *ret_exit_code)
{
	const volatile struct mailbox *mailbox = sandbox->mailbox;

	*ret_exit_code = mailbox->exit_code;
	return copy_report(sandbox, ret_report, ret_length);
}

void sandbox_on_display(struct sandbox *sandbox)
{
	AUTO_FREE uint8_t *text = NULL;
	size_t length = 0;
	int error = copy_report(sandbox, &text, &length);

	if (!error && sandbox->owner.display)
		sandbox->owner.display(sandbox->owner.context, sandbox, text, length);
	if (sandbox->phase == SANDBOX_BUSY) /* else it was too much for the owner */
		(void)answer(sandbox, ORDER_GO_ON);
}

void sandbox_on_input(struct sandbox *sandbox, bool password)
{
	AUTO_FREE uint8_t *prompt = NULL;
	size_t length = 0;

	sandbox->phase = SANDBOX_ASKS;
	if (copy_report(sandbox, &prompt, &length) || !sandbox->owner.input)
		(void)sandbox_give_input(sandbox, NULL, 0, true);
	else
		sandbox->owner.input(sandbox->owner.context, sandbox, prompt, length, password);
}

int sandbox_signal(struct sandbox *sandbox, int signal)
{
	if (sandbox->interpreter.pidfd < 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, sandbox->interpreter.pidfd, signal, NULL, 0) ? -errno
											   : 0;
}

/* -- checkpoints ---------------------------------------------------------------- */

static void drop_oldest(struct sandbox *sandbox)
{
	struct ringer *oldest = &sandbox->checkpoints[0];

	(void)syscall(SYS_pidfd_send_signal, oldest->pidfd, SIGKILL, NULL, 0);
	ringer_forget(oldest);
	memmove(oldest, oldest + 1, --sandbox->checkpoint_count * sizeof *oldest);
}

static void on_freeze_late(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);

	if (!sandbox->awaits_ready) { /* just no copy */
		sandbox->awaits_frozen = false;
		sandbox->phase = SANDBOX_IDLE;
		sandbox->owner.idle(sandbox->owner.context, sandbox);
		return;
	}
	/* as good as dead: the owner goes back to the last checkpoint */
	sandbox->owner.died(sandbox->owner.context, sandbox, SIGKILL);
}

int sandbox_checkpoint(struct sandbox *sandbox, size_t keep)
{
	if (sandbox->phase != SANDBOX_IDLE || !sandbox->interpreter.ring)
		return -EBUSY;
	if (keep > CHECKPOINTS_MAX)
		keep = CHECKPOINTS_MAX;
	while (sandbox->checkpoint_count && sandbox->checkpoint_count >= keep)
		drop_oldest(sandbox);
	sandbox->phase = SANDBOX_FREEZES;
	sandbox->awaits_frozen = sandbox->awaits_ready = true;
	sandbox->checkpointed = false;
	int error = answer(sandbox, ORDER_CHECKPOINT);
	if (error) /* it is dead: that is told in a moment */
		sandbox->phase = SANDBOX_IDLE;
	else
		error = loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
				       loop_now_us() + FREEZE_MS * 1000, on_freeze_late);
	return error;
}

bool sandbox_checkpointed(const struct sandbox *sandbox)
{
	return sandbox->checkpointed;
}
