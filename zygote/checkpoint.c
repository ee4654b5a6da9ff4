#include "zygote/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/notification.h"
#include "zygote/python/python.h"
#include "zygote/sibling.h"

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
	if (notification_send(NOTE_FROZEN, 0) != ORDER_WAKE)
		_exit(0);
	score(OOM_SCORE_PROGRAM);
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
