#define _GNU_SOURCE
/* The next program of a sandbox. A one-shot that has ended well leaves a sandbox that is
 * as good as new, once it is dead: making another one costs several times as much.
 *
 * What a program could leave is looked for by the kernel's word, never by its own: tasks,
 * files, memory, refusals, process ids. Whoever left any of it has had the last program of
 * this sandbox. The next one is a fresh fork of init, as the first one was, and has a uid
 * that no process here ever had. What stays, and why that is harmless: docs/SECURITY.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

enum {
	TASKS_OF_OURS = 2, /* init and interpreter, one thread each */
	/* What the group may hold between two programs. It is below 1 MB, init's own pages and
	 * tables; the rest is kernel memory that has not been freed yet. */
	LEFT_BYTES_MAX = 4 << 20,
	/* Of each period of 100 ms (cgroup.h) cpu_percent is the sandbox's: its programs
	 * together have used at most half of one, so that the next is not held up. */
	CPU_US_A_PERCENT = 500,
};

bool sandbox_is_used(const struct sandbox *sandbox)
{
	return sandbox->user != 0;
}

/* From here on nothing of the program runs, as it was alone; that is looked at again. */
int renew_begin(struct sandbox *sandbox, const struct happening *what)
{
	unsigned programs =
		what->count < SANDBOX_USERS_MAX ? (unsigned)what->count : SANDBOX_USERS_MAX;

	if (sandbox->user + 1 >= programs || sandbox->checkpoint_count || sandbox->original.pid ||
	    sandbox->shared >= 0 || !sandbox->interpreter_inside)
		return -EPERM;
	if (cgroup_count_tasks(sandbox->cgroup) != TASKS_OF_OURS)
		return -EBUSY;
	sandbox->user_inside = sandbox->interpreter_inside;
	target_kill(&sandbox->interpreter);
	sandbox_close_stdio(sandbox);
	return 0;
}

/* Sockets that were sent over each other outlive their processes until the kernel next
 * collects such cycles, and the network namespace lists them. */
static bool has_no_socket(const struct sandbox *sandbox)
{
	char path[40], text[256];

	snprintf(path, sizeof path, "/proc/%d/net/unix", (int)sandbox->init_pid);
	AUTO_FD list = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = list < 0 ? -1 : read(list, text, sizeof text);

	/* one line, the heading */
	return got > 0 && memchr(text, '\n', (size_t)got) == text + got - 1;
}

static bool has_left_nothing(struct sandbox *sandbox)
{
	struct cgroup_usage usage;

	return cgroup_count_tasks(sandbox->cgroup) == TASKS_OF_OURS - 1 && has_no_socket(sandbox) &&
	       workspace_is_untouched(&sandbox->workspace, &sandbox->untouched) &&
	       !sandbox_read_usage(sandbox, &usage) && !usage.oom_kills && !usage.forks_refused &&
	       usage.cpu_us <= sandbox->all->config.cpu_percent * CPU_US_A_PERCENT &&
	       usage.memory_bytes <= LEFT_BYTES_MAX && !cgroup_reset_peak(sandbox->cgroup);
}

/* It is dead and reaped. OTHERWISE: it has left something. */
int renew_prove(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (!has_left_nothing(sandbox))
		return OTHERWISE;
	if (madvise(sandbox->mailbox, MAILBOX_BYTES, MADV_REMOVE))
		return -errno;
	sandbox->user++;
	sandbox->chatter = 0;
	int error = workspace_hand_over(&sandbox->workspace, sandbox_uid(sandbox),
					sandbox_uid(sandbox), &sandbox->untouched);
	return error ? error : sandbox_ask_init(sandbox, INIT_RENEW_INTERPRETER, 0, NULL, 0);
}

/* Process ids are given in turn: a gap tells of threads and processes, and their number. */
int renew_listen(struct sandbox *sandbox, const struct happening *what)
{
	if (what->pid != sandbox->user_inside + 1)
		return OTHERWISE;
	return program_listen(sandbox, what);
}
