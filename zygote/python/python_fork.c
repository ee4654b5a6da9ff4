#include "zygote/python/python_fork.h"

#include <unistd.h>

#include "zygote/python/python.h"
#include "zygote/python/python_arena.h"
#include "zygote/python/python_atfork.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_pure.h"
#include "zygote/python/python_random.h"
#include "zygote/python/python_warm.h"

static pid_t own_pid;

void python_fork_settle(void)
{
	own_pid = getpid();
}

void python_fork_end_stranger(int exit_code)
{
	if (getpid() == own_pid)
		return;
	own_pid = getpid();
	_exit(python_finish(exit_code));
}

static void before_fork(bool silent)
{
	python_fork_settle();
	python_pure_disturb(); /* the hooks of the program run, here and in the fork */
	if (python_main_globals()) { /* else it is the zygote: there is no program yet */
		bool rest = python_is_single_thread();

		python_atfork_rest(rest);
		if (!silent) /* else nothing seeds it, and its getstate() may be the program's */
			python_random_keep(rest);
	}
	PyOS_BeforeFork();
	python_fork_end_stranger(0);
}

void python_before_fork(void)
{
	before_fork(false);
}

bool python_before_fork_case(void)
{
	if (!python_atfork_silence())
		return false;
	before_fork(true);
	return true;
}

void python_after_fork_parent(void)
{
	PyOS_AfterFork_Parent();
	python_atfork_rest(false);
	python_atfork_speak();
	python_random_let_go();
	python_fork_end_stranger(0);
}

void python_after_fork_child(void)
{
	python_arena_scatter();
	PyOS_AfterFork_Child();
	python_atfork_renew_thread();
	python_random_renew();
	python_fork_settle();
	python_warm_fork();
}

void python_after_fork_copy(void)
{
	python_fork_settle();
	PyOS_AfterFork_Child();
	python_atfork_rest(false);
	python_atfork_renew_thread();
	python_random_give_back();
	python_fork_end_stranger(0);
}

static void become_case(void)
{
	if (python_main_globals()) {
		python_after_fork_copy();
		return;
	}
	PyOS_AfterFork_Child();
	python_atfork_renew_thread();
	python_random_renew();
	python_fork_settle();
}

void python_after_fork_case(void)
{
	become_case();
	python_atfork_speak();
}

long python_wait(long (*wait)(void *argument), void *argument)
{
	PyThreadState *thread = PyEval_SaveThread();
	long result = wait(argument);

	PyEval_RestoreThread(thread);
	return result;
}
