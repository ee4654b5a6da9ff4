#define _GNU_SOURCE
/* Killing everything in a sandbox that is not ours, looked at again and again until
 * nothing is left. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/sandbox/sandbox_parts.h"

enum { SWEEP_US = 500 };

static int compare_pids(const void *one, const void *other)
{
	pid_t a = *(const pid_t *)one, b = *(const pid_t *)other;

	return (a > b) - (a < b);
}

void sweep_forget_others(struct sandbox *sandbox)
{
	free(sandbox->earlier.processes);
	sandbox->earlier = (struct earlier){ 0 };
}

/* Who is there already. One that was left out would be killed with the command:
 * rather no command. */
int sweep_note_others(struct sandbox *sandbox)
{
	static pid_t members[MEMBERS_MAX];
	struct earlier *earlier = &sandbox->earlier;

	sweep_forget_others(sandbox);
	long count = cgroup_list(sandbox->cgroup, members, MEMBERS_MAX);
	if (count < 0)
		return (int)count;
	if (count == MEMBERS_MAX)
		return -E2BIG;
	size_t size = (size_t)count * sizeof *members;
	earlier->processes = malloc(size + 1);
	if (!earlier->processes)
		return -ENOMEM;
	memcpy(earlier->processes, members, size);
	earlier->count = (size_t)count;
	qsort(earlier->processes, earlier->count, sizeof *members, compare_pids);
	return 0;
}

static bool was_there(const struct sandbox *sandbox, pid_t pid)
{
	const struct earlier *earlier = &sandbox->earlier;

	return pid == sandbox->interpreter.pid ||
	       (earlier->count &&
		bsearch(&pid, earlier->processes, earlier->count, sizeof pid, compare_pids));
}

/* 0 where it cannot be told. */
static unsigned long count_threads(const struct sandbox *sandbox)
{
	enum { LINKS_OF_EMPTY = 2 };
	char path[32];
	struct stat info;

	snprintf(path, sizeof path, "/proc/%d/task", (int)sandbox->interpreter.pid);
	if (!sandbox->interpreter.pid || stat(path, &info) || info.st_nlink < LINKS_OF_EMPTY)
		return 0;
	return info.st_nlink - LINKS_OF_EMPTY;
}

static bool spares_earlier(enum sandbox_state state)
{
	return (state >= SANDBOX_COMMANDED && state <= SANDBOX_COMMAND_ENDED) ||
	       state == SANDBOX_TIDIES;
}

static bool is_keeper(const struct sandbox *sandbox, pid_t pid)
{
	if (pid == sandbox->init_pid || pid == sandbox->original.pid)
		return true;
	if (spares_earlier(sandbox->state) && was_there(sandbox, pid))
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

/* A thread cannot be killed alone, but it may be on its way out. */
static bool thread_may_end(struct sandbox *sandbox)
{
	enum { LOOKS_MAX = 40 };

	sandbox->left_threads = count_threads(sandbox) > sandbox->earlier.threads;
	return sandbox->left_threads && sandbox->looks++ < LOOKS_MAX;
}

static void on_sweep(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, sweep);
	struct happening what = { .event = ON_SWEPT, .step = "kill its program" };
	long others = kill_others(sandbox);

	sandbox->ended_processes |= others > 0;
	if (others == 0 && sandbox->state == SANDBOX_TIDIES)
		others = thread_may_end(sandbox);
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

/* -- what a job has left behind --------------------------------------------------------- */

int sandbox_note_others(struct sandbox *sandbox)
{
	sweep_forget_others(sandbox);
	if (!sandbox_has_others(sandbox)) {
		sandbox->earlier.threads = 1;
		return 0;
	}
	int error = sweep_note_others(sandbox);
	sandbox->earlier.threads = count_threads(sandbox);
	return error;
}

int tidy_begin(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	sandbox->ended_processes = sandbox->left_threads = false;
	sandbox->looks = 0;
	return sweep_begin(sandbox);
}

int tidy_finish(struct sandbox *sandbox, const struct happening *what)
{
	int error = sandbox_make_room(sandbox, 0); /* forks again */

	(void)what;
	return error ? error : sandbox->interpreter.pid ? 0 : OTHERWISE;
}

int sandbox_tidy(struct sandbox *sandbox)
{
	return sandbox_has_others(sandbox)
		       ? sandbox_dispatch(sandbox, &(struct happening){ .event = ON_TIDY })
		       : -ENOENT;
}

enum tidied sandbox_tidied(const struct sandbox *sandbox)
{
	return sandbox->left_threads      ? TIDIED_NOT_THREADS
	       : sandbox->ended_processes ? TIDIED_PROCESSES
					  : TIDIED_NOTHING;
}
