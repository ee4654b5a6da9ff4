#define _GNU_SOURCE
/* Killing everything in a sandbox that is not ours, looked at again and again until
 * nothing is left. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "executor/sandbox/sandbox_parts.h"

enum { SWEEP_US = 500 };

static int compare_pids(const void *one, const void *other)
{
	pid_t a = *(const pid_t *)one, b = *(const pid_t *)other;

	return (a > b) - (a < b);
}

/* Who is there already. One that was left out would be killed with the command:
 * rather no command. */
int sweep_note_others(struct sandbox *sandbox)
{
	static pid_t members[MEMBERS_MAX];
	struct command *command = &sandbox->command;
	long count = cgroup_list(sandbox->cgroup, members, MEMBERS_MAX);

	if (count < 0)
		return (int)count;
	if (count == MEMBERS_MAX)
		return -E2BIG;
	size_t size = (size_t)count * sizeof *members;
	command->before = malloc(size + 1);
	if (!command->before)
		return -ENOMEM;
	memcpy(command->before, members, size);
	command->before_count = (size_t)count;
	qsort(command->before, command->before_count, sizeof *members, compare_pids);
	return 0;
}

static bool command_keeps(const struct sandbox *sandbox, pid_t pid)
{
	const struct command *command = &sandbox->command;

	return pid == sandbox->interpreter.pid ||
	       (command->before_count &&
		bsearch(&pid, command->before, command->before_count, sizeof pid, compare_pids));
}

static bool is_of_command(enum sandbox_state state)
{
	return state >= SANDBOX_COMMANDED && state <= SANDBOX_COMMAND_ENDED;
}

static bool is_keeper(const struct sandbox *sandbox, pid_t pid)
{
	if (pid == sandbox->init_pid || pid == sandbox->original.pid)
		return true;
	if (is_of_command(sandbox->state) && command_keeps(sandbox, pid))
		return true;
	/* of one that is dead, another process may have the id by now */
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		if (sandbox->checkpoints[i].pid == pid)
			return target_is_alive(&sandbox->checkpoints[i]);
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

static void on_sweep(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, sweep);
	struct happening what = { .event = ON_SWEPT, .step = "kill its program" };
	long others = kill_others(sandbox);

	if (others > 0)
		others = loop_set_timer(sandbox->all->config.loop, timer, loop_now_us() + SWEEP_US,
					on_sweep);
	else if (others == 0)
		sandbox_report(sandbox, &what);
	if (others < 0) {
		what.event = ON_BROKEN;
		what.error = (int)others;
		sandbox_report(sandbox, &what);
	}
}

int sweep_begin(struct sandbox *sandbox)
{
	int error = sandbox_forbid_forks(sandbox);

	return error ? error
		     : loop_set_timer(sandbox->all->config.loop, &sandbox->sweep, loop_now_us(),
				      on_sweep);
}
