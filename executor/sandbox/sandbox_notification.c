#define _GNU_SOURCE
/* What the processes of a sandbox say by ringing, and what it means now. Any of
 * them can ring with any words: a ring that nobody expects is left unanswered,
 * so that whoever made it waits until it is killed. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "executor/sandbox/notify.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

void ringer_forget(struct ringer *ringer)
{
	owned_close(&ringer->pidfd);
	ringer->pid = 0;
	ringer->ring = 0;
}

/* The id is checked after the pidfd is open: then both mean the same process. */
int ringer_adopt(struct sandbox *sandbox, const struct notification *ring, struct ringer *ringer)
{
	int pidfd = (int)syscall(SYS_pidfd_open, ring->pid, 0);

	if (pidfd < 0)
		return -errno;
	if (!notify_valid(sandbox->listener.fd, ring->id)) {
		close(pidfd);
		return -ESRCH;
	}
	*ringer = (struct ringer){ .pid = ring->pid, .pidfd = pidfd, .ring = ring->id };
	return 0;
}

static void become_idle(struct sandbox *sandbox)
{
	int error = sandbox->stdio_intact ? 0 : sandbox_give_stdio(sandbox);

	/* It was killed meanwhile. Its death will be told by init, or by the
	 * timer: of a child that is not its own init hears nothing. */
	if (error == -ENOENT)
		return;
	if (error) {
		sandbox_fail(sandbox, "give the standard descriptors", error);
		return;
	}
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	sandbox->phase = SANDBOX_IDLE;
	sandbox->owner.idle(sandbox->owner.context, sandbox);
}

static void on_first_ready(struct sandbox *sandbox, const struct notification *ring)
{
	if (ring->note != NOTE_READY)
		return;
	if (sandbox->interpreter.pid && ring->pid != sandbox->interpreter.pid)
		return;
	if (!sandbox->interpreter.pid) {
		int error = ringer_adopt(sandbox, ring, &sandbox->interpreter);

		if (error)
			return;
	}
	sandbox->interpreter.ring = ring->id;
	become_idle(sandbox);
}

static void on_job(struct sandbox *sandbox, const struct notification *ring)
{
	if (ring->pid != sandbox->interpreter.pid ||
	    (ring->note != NOTE_DONE && ring->note != NOTE_DISPLAY && ring->note != NOTE_INPUT))
		return;
	sandbox->phase = SANDBOX_BUSY; /* also from waiting for input that came too late */
	sandbox->interpreter.ring = ring->id;
	sandbox_drain(sandbox, true);
	if (sandbox->phase != SANDBOX_BUSY)
		return; /* what came was too much for the owner */
	if (ring->note == NOTE_DISPLAY) {
		sandbox_on_display(sandbox);
		return;
	}
	if (ring->note == NOTE_INPUT) {
		sandbox_on_input(sandbox, ring->flags & NOTE_PASSWORD);
		return;
	}
	sandbox->stdio_intact &= (ring->flags & NOTE_STDIO_INTACT) != 0;
	sandbox->phase = SANDBOX_IDLE;
	if (sandbox->owner.done)
		sandbox->owner.done(sandbox->owner.context, sandbox);
}

static void on_freezing(struct sandbox *sandbox, const struct notification *ring)
{
	if (ring->note == NOTE_FROZEN && sandbox->awaits_frozen &&
	    ring->pid != sandbox->interpreter.pid) {
		struct ringer *copy = &sandbox->checkpoints[sandbox->checkpoint_count];

		if (ringer_adopt(sandbox, ring, copy))
			return;
		sandbox->checkpoint_count++;
		sandbox->checkpointed = true;
		sandbox->awaits_frozen = false;
	} else if (ring->note == NOTE_READY && ring->pid == sandbox->interpreter.pid) {
		sandbox->interpreter.ring = ring->id;
		sandbox->awaits_ready = false;
		if (ring->flags & NOTE_NO_COPY)
			sandbox->awaits_frozen = false;
	}
	if (!sandbox->awaits_ready && !sandbox->awaits_frozen)
		become_idle(sandbox);
}

static void on_notification(struct sandbox *sandbox, const struct notification *ring)
{
	switch (sandbox->phase) {
	case SANDBOX_SETS_UP:
	case SANDBOX_RETURNS:
		on_first_ready(sandbox, ring);
		break;
	case SANDBOX_BUSY:
	case SANDBOX_ASKS:
		on_job(sandbox, ring);
		break;
	case SANDBOX_FREEZES:
		on_freezing(sandbox, ring);
		break;
	case SANDBOX_FORKS:
		sandbox_fork_rang(sandbox, ring);
		break;
	case SANDBOX_WAITS_FOR_SPAWN:
	case SANDBOX_IDLE:
	case SANDBOX_COMMANDED:
	case SANDBOX_JOINS:
	case SANDBOX_SWEEPS:
	case SANDBOX_DIES:
		break;
	}
}

void sandbox_on_ring(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, listener);
	struct notification ring;
	int got = notify_receive(source->fd, &ring);

	if (got == 1)
		on_notification(sandbox, &ring);
	else if (got < 0 || events & EPOLLHUP) /* nobody is left to ring */
		loop_remove(sandbox->all->config.loop, source);
}
