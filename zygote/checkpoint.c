#include "zygote/checkpoint.h"

#include <errno.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/notification.h"
#include "zygote/python/python.h"
#include "zygote/sibling.h"

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
