#define _GNU_SOURCE
#include "zygote/forks.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/filter.h"
#include "zygote/notification.h"
#include "zygote/python/python.h"

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

/* -- checkpoints ----------------------------------------------------------------- */

/* A session of its own, so that a signal to the program's group passes by. */
static void be_frozen(void)
{
	(void)setsid();
	if (notification_send(NOTE_FROZEN, 0) != ORDER_WAKE)
		_exit(0);
}

enum checkpoint checkpoint_make(void)
{
	python_before_fork();
	pid_t pid = sibling_fork();
	if (pid != 0) {
		int error = errno;

		python_after_fork_parent();
		return pid > 0           ? CHECKPOINT_MADE
		       : error == EAGAIN ? CHECKPOINT_REFUSED
					 : CHECKPOINT_FAILED;
	}
	be_frozen();
	python_after_fork_copy();
	return CHECKPOINT_WOKEN;
}

/* -- the fork template ----------------------------------------------------------- */

static bool hidden;
static sigset_t signals; /* the program's mask, for its forks */

/* "7f12a000-7f12b000 rw-s 00000000 00:01 2056   /memfd:name (deleted)". What is
 * read only for everybody, below /usr, carries no notes. */
static bool is_shared(const char *line, const void *mailbox)
{
	char permissions[5] = "";
	unsigned long long start = 0;
	int path = 0;

	if (sscanf(line, "%llx-%*x %4s %*x %*s %*s %n", &start, permissions, &path) != 2)
		return true;
	return permissions[3] == 's' && start != (uintptr_t)mailbox &&
	       strncmp(line + path, "/usr/", 5) != 0;
}

static bool shares_memory(const void *mailbox)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	bool shares = !maps;

	while (!shares && getline(&line, &capacity, maps) >= 0)
		shares = is_shared(line, mailbox);
	if (maps)
		fclose(maps);
	return shares;
}

/* All but standard input, output and error, which each fork gets for itself. */
static bool shares_descriptors(void)
{
	DIR *entries = opendir("/proc/self/fd");
	struct dirent *entry;
	bool shares = !entries;

	while (!shares && (entry = readdir(entries))) {
		long number = strtol(entry->d_name, NULL, 10);

		shares = number > STDERR_FILENO && number != dirfd(entries);
	}
	if (entries)
		closedir(entries);
	return shares;
}

/* Signals stay pending for ever; forks have their own. The filter is for the
 * forks, which inherit it: false if it cannot be put on. */
static bool hide(void)
{
	sigset_t all;

	if (filter_add(FILTER_ORIGINAL))
		return false;
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &signals);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	hidden = true;
	return true;
}

static void be_fork(void)
{
	(void)setsid();
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)sigprocmask(SIG_SETMASK, &signals, NULL);
	hidden = false;
	python_after_fork_case();
}

enum original original_fork(const void *mailbox)
{
	if (!hidden && (shares_memory(mailbox) || shares_descriptors()))
		return ORIGINAL_SHARES;
	if (!hidden && !hide())
		return ORIGINAL_FAILED;
	if (!python_before_fork_case())
		return ORIGINAL_FAILED;
	pid_t pid = sibling_fork();
	if (pid != 0) {
		python_after_fork_parent();
		return pid > 0 ? ORIGINAL_FORKED : ORIGINAL_FAILED;
	}
	be_fork();
	return ORIGINAL_IS_FORK;
}
