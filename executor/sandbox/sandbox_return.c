#define _GNU_SOURCE
/* Going back: kill the program and everything that it started, keep init
 * and the checkpoints, then wake one of these or start afresh. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "executor/sandbox/notify.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

enum { SWEEP_US = 500, SWEEPS_MAX = 10000, RETURN_MS = 5000 };

static void send_kill(const struct ringer *ringer)
{
	if (ringer->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, ringer->pidfd, SIGKILL, NULL, 0);
}

static void drop_newest(struct sandbox *sandbox)
{
	struct ringer *newest = &sandbox->checkpoints[--sandbox->checkpoint_count];

	send_kill(newest);
	ringer_forget(newest);
}

void sandbox_drop_checkpoints(struct sandbox *sandbox)
{
	while (sandbox->checkpoint_count)
		drop_newest(sandbox);
}

/* One that was killed, for memory or by the program, is none any more. */
static bool is_alive(const struct sandbox *sandbox, size_t i)
{
	return notify_valid(sandbox->listener.fd, sandbox->checkpoints[i].ring);
}

size_t sandbox_checkpoints(struct sandbox *sandbox)
{
	size_t alive = 0;

	while (alive < sandbox->checkpoint_count &&
	       is_alive(sandbox, sandbox->checkpoint_count - 1 - alive))
		alive++;
	return alive;
}

static bool is_keeper(const struct sandbox *sandbox, pid_t pid)
{
	if (pid == sandbox->init_pid)
		return true;
	if (pid == sandbox->original.pid)
		return true;
	if (sandbox->phase == SANDBOX_COMMANDED && sandbox_command_keeps(sandbox, pid))
		return true;
	/* of one that is dead, another process may have the id by now */
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		if (sandbox->checkpoints[i].pid == pid)
			return is_alive(sandbox, i);
	return false;
}

/* Kill all others; how many there were, or -errno. New ones cannot come: the
 * group refuses forks. The ids are safe to use: a process that we killed keeps
 * its id until init has reaped it, and the next look sees that. */
static long kill_others(const struct sandbox *sandbox)
{
	static pid_t members[MEMBERS_MAX];
	long count = cgroup_list(sandbox->cgroup, members, MEMBERS_MAX);
	long others = 0;

	for (long i = 0; i < count; i++) {
		if (is_keeper(sandbox, members[i]))
			continue;
		(void)kill(members[i], SIGKILL);
		others++;
	}
	return count < 0 ? count : others;
}

static void on_return_late(struct loop_timer *timer)
{
	sandbox_fail(LOOP_OWNER(timer, struct sandbox, timer), "go back in time", -ETIMEDOUT);
}

/* "NSpid:\t4711\t23": the last is the innermost. */
static pid_t inside_pid(pid_t pid)
{
	char path[64];
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	long inside = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *status = fopen(path, "re");
	if (!status)
		return 0;
	while (!inside && getline(&line, &capacity, status) >= 0) {
		char *last = strrchr(line, '\t');

		if (!strncmp(line, "NSpid:", 6) && last)
			inside = strtol(last, NULL, 10);
	}
	fclose(status);
	return (pid_t)inside;
}

int sandbox_watch_interpreter(struct sandbox *sandbox)
{
	pid_t inside = inside_pid(sandbox->interpreter.pid);

	if (!inside)
		return -ESRCH;
	sandbox->interpreter_inside = inside;
	return sandbox_ask_init(sandbox, INIT_WATCH, inside, NULL, 0);
}

static int wake_newest(struct sandbox *sandbox)
{
	struct ringer *copy = &sandbox->checkpoints[--sandbox->checkpoint_count];
	uint64_t ring = copy->ring;

	sandbox->interpreter = *copy;
	sandbox->interpreter.ring = 0;
	copy->pidfd = -1;
	int error = sandbox_watch_interpreter(sandbox);
	if (error)
		return error;
	/* the program may have stopped it: they share a uid */
	(void)sandbox_signal(sandbox, SIGCONT);
	return notify_answer(sandbox->listener.fd, ring, ORDER_WAKE);
}

static void go_back(struct sandbox *sandbox)
{
	struct cgroup_limits group = sandbox_group_limits(sandbox, &sandbox->limits);
	int error = cgroup_limit(sandbox->cgroup, &group); /* forks again */

	sandbox->phase = SANDBOX_RETURNS;
	if (sandbox->clear_workspace && !error)
		error = workspace_clear(&sandbox->workspace);
	sandbox->clear_workspace = false;
	if (!error && sandbox->checkpoint_count)
		error = wake_newest(sandbox);
	else if (!error)
		error = sandbox_ask_init(sandbox, INIT_START_INTERPRETER, 0, NULL, 0);
	if (!error)
		error = loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
				       loop_now_us() + RETURN_MS * 1000, on_return_late);
	if (error)
		sandbox_fail(sandbox, "go back", error);
}

void sandbox_on_sweep(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);
	long others = kill_others(sandbox);

	if (others == 0) {
		if (sandbox->phase == SANDBOX_COMMANDED)
			sandbox_command_swept(sandbox);
		else if (sandbox->phase == SANDBOX_JOINS)
			sandbox_fork_swept(sandbox);
		else
			go_back(sandbox);
		return;
	}
	if (others < 0 || ++sandbox->sweeps > SWEEPS_MAX ||
	    loop_set_timer(sandbox->all->config.loop, timer, loop_now_us() + SWEEP_US,
			   sandbox_on_sweep))
		sandbox_fail(sandbox, "kill its program", -ETIMEDOUT);
}

int sandbox_restore(struct sandbox *sandbox, size_t drop, bool *ret_fresh)
{
	int error = cgroup_forbid_forks(sandbox->cgroup);

	if (error)
		return error;
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	while (drop-- && sandbox->checkpoint_count)
		drop_newest(sandbox);
	if (sandbox->checkpoint_count && !is_alive(sandbox, sandbox->checkpoint_count - 1))
		sandbox_drop_checkpoints(sandbox);
	*ret_fresh = sandbox->checkpoint_count == 0;
	sandbox->phase = SANDBOX_SWEEPS;
	sandbox->interpreter_inside = 0;
	send_kill(&sandbox->interpreter);
	ringer_forget(&sandbox->interpreter);
	sandbox_close_stdio(sandbox);
	sandbox->sweeps = 0;
	return loop_set_timer(sandbox->all->config.loop, &sandbox->timer, loop_now_us() + SWEEP_US,
			      sandbox_on_sweep);
}

void sandbox_clear_workspace(struct sandbox *sandbox)
{
	sandbox->clear_workspace = true;
}
