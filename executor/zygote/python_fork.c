#include "python_fork.h"

#include <unistd.h>

#include "python.h"
#include "python_arena.h"
#include "python_object.h"

static pid_t own_pid;
static PyObject *numpy_seed;     /* numpy.random.seed, if numpy was preloaded */
static PyObject *kept_random;    /* the state of `random` across a copying fork */

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

static PyObject *loaded_module(const char *name)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), name);

	return module && PyModule_Check(module) ? module : NULL;
}

int python_fork_prepare(void)
{
	PyObject *module = loaded_module("numpy.random");

	numpy_seed = module ? python_object_try(module, "seed") : NULL;
	python_fork_settle();
	return 0;
}

/* The generator behind random.random(), which PyOS_AfterFork_Child() reseeds. */
static PyObject *random_instance(void)
{
	PyObject *module = loaded_module("random");

	return module ? python_object_try(module, "_inst") : NULL;
}

static void keep_random(void)
{
	AUTO_OBJECT *instance = random_instance();

	Py_CLEAR(kept_random);
	if (instance) {
		kept_random = PyObject_CallMethod(instance, "getstate", NULL);
		PyErr_Clear();
	}
}

static void give_back_random(void)
{
	AUTO_OBJECT *instance = kept_random ? random_instance() : NULL;
	AUTO_OBJECT *done =
		instance ? PyObject_CallMethod(instance, "setstate", "O", kept_random) : NULL;

	PyErr_Clear();
	Py_CLEAR(kept_random);
}

void python_before_fork(void)
{
	keep_random();
	PyOS_BeforeFork();
	python_fork_end_stranger(0);
}

void python_after_fork_parent(void)
{
	PyOS_AfterFork_Parent();
	Py_CLEAR(kept_random);
	python_fork_end_stranger(0);
}

void python_after_fork_copy(void)
{
	PyOS_AfterFork_Child();
	give_back_random();
	python_fork_settle();
}

/* tempfile's generator notices a fork by its process number: in a pid namespace
 * of its own, every sandbox has the same one. */
static void forget_temporary_names(void)
{
	PyObject *module = loaded_module("tempfile");

	if (module && PyObject_SetAttrString(module, "_name_sequence", Py_None) < 0)
		PyErr_Clear();
}

void python_after_fork_child(void)
{
	python_arena_scatter();
	PyOS_AfterFork_Child();
	Py_CLEAR(kept_random);
	forget_temporary_names();
	if (numpy_seed) {
		AUTO_OBJECT *done = PyObject_CallFunctionObjArgs(numpy_seed, NULL);

		PyErr_Clear();
	}
	python_fork_settle();
}

long python_wait(long (*wait)(void *argument), void *argument)
{
	PyThreadState *thread = PyEval_SaveThread();
	long result = wait(argument);

	PyEval_RestoreThread(thread);
	return result;
}
