#define _GNU_SOURCE
/* Jobs in a fork of the interpreter, which itself stays as it was: one loaded
 * submission serves many cases, and none of them finds a trace of another.
 *
 * The fork becomes `interpreter`, the one it was made of waits as `original`.
 * When the fork is dead, init and original must be all that is left, counted
 * by the kernel in tasks; what is left besides is swept as when going back. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor/sandbox/notify.h"
#include "executor/sandbox/sandbox_parts.h"

enum {
	FORK_MS = 2000, /* hooks of the program run at a fork: they may hang */
	JOIN_MS = 5000,
	TASKS_OF_ONE = 2, /* init and interpreter, one thread each */
};

static const struct ringer nobody = { .pidfd = -1 };

bool sandbox_is_alone(struct sandbox *sandbox)
{
	return cgroup_count_tasks(sandbox->cgroup) == TASKS_OF_ONE &&
	       workspace_is_untouched(&sandbox->workspace, &sandbox->untouched);
}

void sandbox_keep_workspace(struct sandbox *sandbox)
{
	(void)workspace_keep(&sandbox->workspace, &sandbox->untouched);
}

/* Only sandbox_kill() is left. */
static void give_up(struct sandbox *sandbox)
{
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	sandbox->owner.died(sandbox->owner.context, sandbox, SIGKILL);
}

static void on_late(struct loop_timer *timer)
{
	give_up(LOOP_OWNER(timer, struct sandbox, timer));
}

static void become_idle(struct sandbox *sandbox)
{
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	/* A pipe's flags belong to all who have it open: each fork gets its own. */
	sandbox->stdio_intact = false;
	sandbox->phase = SANDBOX_IDLE;
	sandbox->owner.idle(sandbox->owner.context, sandbox);
}

/* -- fork ------------------------------------------------------------------------ */

int sandbox_fork(struct sandbox *sandbox)
{
	uint64_t ring = sandbox->interpreter.ring;

	if (sandbox->phase != SANDBOX_IDLE || !ring || sandbox->original.pid)
		return -EBUSY;
	int error = loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
				   loop_now_us() + FORK_MS * 1000, on_late);
	if (!error)
		error = notify_answer(sandbox->listener.fd, ring, ORDER_FORK);
	if (error) {
		loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
		return error;
	}
	sandbox->original = sandbox->interpreter;
	sandbox->original.ring = 0;
	sandbox->original_inside = sandbox->interpreter_inside;
	sandbox->interpreter = nobody;
	sandbox->interpreter_inside = 0;
	sandbox->awaits_frozen = sandbox->awaits_ready = true;
	sandbox->phase = SANDBOX_FORKS;
	return 0;
}

static void go_on_as_original(struct sandbox *sandbox)
{
	sandbox->interpreter = sandbox->original;
	sandbox->interpreter_inside = sandbox->original_inside;
	sandbox->original = nobody;
	sandbox->original_inside = 0;
	become_idle(sandbox);
}

bool sandbox_is_forked(const struct sandbox *sandbox)
{
	return sandbox->original.pid != 0;
}

bool sandbox_fork_is_marked(const struct sandbox *sandbox)
{
	return sandbox->fork_marked;
}

/* The first stranger to ring is the fork: nobody else was there before. */
void sandbox_fork_rang(struct sandbox *sandbox, const struct notification *ring)
{
	if (ring->note != NOTE_READY)
		return;
	if (ring->pid == sandbox->original.pid && sandbox->awaits_ready) {
		sandbox->original.ring = ring->id;
		sandbox->awaits_ready = false;
		if (ring->flags & NOTE_NO_COPY) {
			go_on_as_original(sandbox);
			return;
		}
	} else if (ring->pid != sandbox->original.pid && sandbox->awaits_frozen) {
		if (ringer_adopt(sandbox, ring, &sandbox->interpreter))
			return;
		sandbox->awaits_frozen = false;
	}
	if (sandbox->awaits_ready || sandbox->awaits_frozen)
		return;
	if (sandbox_watch_interpreter(sandbox)) {
		give_up(sandbox);
		return;
	}
	sandbox->fork_marked =
		sandbox->last_fork && sandbox->interpreter_inside != sandbox->last_fork + 1;
	sandbox->last_fork = sandbox->interpreter_inside;
	become_idle(sandbox);
}

/* -- join ------------------------------------------------------------------------ */

/* The mailbox is shared by all forks: what is in it would be the next one's to
 * read. It is emptied, and not only where we know that something was put. */
static void be_original(struct sandbox *sandbox)
{
	if (!sandbox->original.pid || cgroup_count_tasks(sandbox->cgroup) != TASKS_OF_ONE ||
	    madvise(sandbox->mailbox, MAILBOX_BYTES, MADV_REMOVE))
		give_up(sandbox); /* threads, for example, in what should only have waited */
	else
		go_on_as_original(sandbox);
}

void sandbox_fork_swept(struct sandbox *sandbox)
{
	struct cgroup_limits group = sandbox_group_limits(sandbox, &sandbox->limits);

	if (cgroup_limit(sandbox->cgroup, &group)) /* forks again */
		give_up(sandbox);
	else
		be_original(sandbox);
}

/* The fork is dead and reaped. As a rule it was alone. */
static void on_fork_gone(struct sandbox *sandbox)
{
	if (cgroup_count_tasks(sandbox->cgroup) == TASKS_OF_ONE) {
		be_original(sandbox);
		return;
	}
	sandbox->sweeps = 0;
	if (cgroup_forbid_forks(sandbox->cgroup) ||
	    loop_set_timer(sandbox->all->config.loop, &sandbox->timer, loop_now_us(),
			   sandbox_on_sweep))
		give_up(sandbox);
}

static void on_gone_already(struct loop_timer *timer)
{
	on_fork_gone(LOOP_OWNER(timer, struct sandbox, timer));
}

void sandbox_fork_died(struct sandbox *sandbox)
{
	if (sandbox->phase == SANDBOX_JOINS && sandbox->original.pid)
		on_fork_gone(sandbox);
	else
		give_up(sandbox);
}

int sandbox_join(struct sandbox *sandbox)
{
	struct loop *loop = sandbox->all->config.loop;
	bool lives = sandbox->interpreter_inside;

	if (!sandbox->original.pid)
		return -ECHILD;
	int error = loop_set_timer(loop, &sandbox->timer,
				   loop_now_us() + (lives ? JOIN_MS * 1000 : 0),
				   lives ? on_late : on_gone_already);
	if (error)
		return error;
	sandbox->phase = SANDBOX_JOINS;
	if (lives)
		(void)syscall(SYS_pidfd_send_signal, sandbox->interpreter.pidfd, SIGKILL, NULL, 0);
	ringer_forget(&sandbox->interpreter);
	sandbox_close_stdio(sandbox);
	return 0;
}
