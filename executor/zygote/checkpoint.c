#define _GNU_SOURCE
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "birth.h"
#include "doorbell.h"
#include "owned.h"
#include "python.h"
#include "scores.h"

/* libc caches the thread id in memory that a raw clone(2) would leave stale. */
static int *thread_id_address;

void checkpoint_prepare(void)
{
	if (prctl(PR_GET_TID_ADDRESS, &thread_id_address, 0, 0, 0))
		thread_id_address = NULL;
}

/* procfs gives the task directory one link a thread and two of its own. */
static bool single_threaded(void)
{
	struct stat info;

	return !stat("/proc/self/task", &info) && info.st_nlink == 3;
}

/* With one thread no lock can be held by another, so the plain system call is
 * safe, and CLONE_PARENT makes the copy the warden's child in one step. */
static pid_t fork_as_sibling(void)
{
	return (pid_t)syscall(SYS_clone,
			      CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0,
			      0, thread_id_address, 0);
}

/* With threads libc has to fork (it takes the allocator's locks over), and the
 * copy reaches the warden as an orphan. */
static pid_t fork_as_orphan(void)
{
	pid_t middle = fork();

	if (middle < 0)
		return -1;
	if (middle > 0) {
		(void)waitpid(middle, NULL, 0);
		return middle;
	}

	pid_t copy = fork();
	if (copy != 0)
		_exit(0);
	return 0;
}

static void score(int oom_score_adj)
{
	AUTO_FD fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)dprintf(fd, "%d", oom_score_adj);
}

/* A session of its own, so that a signal to the program's group passes by. */
static void be_frozen(void)
{
	(void)setsid();
	score(OOM_SCORE_CHECKPOINT);
	if (doorbell_ring(NOTE_FROZEN, 0) != ORDER_WAKE)
		_exit(0);
	score(OOM_SCORE_PROGRAM);
}

enum checkpoint checkpoint_make(void)
{
	bool alone = thread_id_address && single_threaded();

	python_before_fork();
	pid_t pid = alone ? fork_as_sibling() : fork_as_orphan();
	if (pid != 0) {
		python_after_fork_parent();
		return pid > 0 ? CHECKPOINT_MADE : CHECKPOINT_FAILED;
	}
	be_frozen();
	python_after_fork_copy();
	return CHECKPOINT_WOKEN;
}
