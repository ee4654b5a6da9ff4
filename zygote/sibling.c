#define _GNU_SOURCE
#include "zygote/sibling.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* libc caches the thread id in memory that a raw clone(2) would leave stale. */
static int *thread_id_address;

void sibling_prepare(void)
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
 * safe, and CLONE_PARENT makes the copy init's child in one step. */
static pid_t fork_at_once(void)
{
	return (pid_t)syscall(SYS_clone,
			      CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0,
			      0, thread_id_address, 0);
}

/* With threads libc has to fork (it takes the allocator's locks over), and the
 * copy reaches init as an orphan. */
static pid_t fork_as_orphan(void)
{
	pid_t middle = fork();

	if (middle < 0)
		return -1;
	if (middle > 0) {
		int status = 0;

		(void)waitpid(middle, &status, 0);
		if (!status)
			return middle;
		errno = EAGAIN;
		return -1;
	}

	pid_t copy = fork();
	if (copy != 0)
		_exit(copy < 0);
	return 0;
}

pid_t sibling_fork(void)
{
	return thread_id_address && single_threaded() ? fork_at_once() : fork_as_orphan();
}
