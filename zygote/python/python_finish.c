#include "zygote/python/python_finish.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "zygote/python/python.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_stdio.h"

/* Both keep what they will have to look after in a list: while that is as long
 * as in the zygote, the program has added nothing. */
static PyObject *log_handlers, *thread_functions;
static Py_ssize_t log_handlers_first, thread_functions_first;

static PyObject *loaded_module(const char *name)
{
	return PyDict_GetItemString(PyImport_GetModuleDict(), name);
}

static PyObject *list_of(PyObject *module, const char *name, Py_ssize_t *ret_length)
{
	PyObject *list = python_object_try(module, name);

	if (list && !PyList_CheckExact(list))
		Py_CLEAR(list);
	*ret_length = list ? PyList_GET_SIZE(list) : 0;
	return list;
}

static int take_over_logging(PyObject *logging)
{
	AUTO_OBJECT *atexit = PyImport_ImportModule("atexit");
	AUTO_OBJECT *function = PyObject_GetAttrString(logging, "shutdown");

	log_handlers = list_of(logging, "_handlerList", &log_handlers_first);
	if (!log_handlers)
		return 0; /* another version's logging: it stays with atexit */

	AUTO_OBJECT *done = atexit && function
				    ? PyObject_CallMethod(atexit, "unregister", "O", function)
				    : NULL;
	return done ? 0 : -1;
}

static int prepare_ending(void)
{
	PyObject *logging = loaded_module("logging");
	PyObject *threading = loaded_module("threading");

	if (threading)
		thread_functions =
			list_of(threading, "_threading_atexits", &thread_functions_first);
	return logging ? take_over_logging(logging) : 0;
}

static void call_end(PyObject *module, const char *function)
{
	AUTO_OBJECT *held = Py_NewRef(module);
	AUTO_OBJECT *done = PyObject_CallMethod(held, function, NULL);

	if (!done)
		PyErr_WriteUnraisable(held);
}

/* First at the end: wait for the threads that are no daemons. What fails is said
 * on stderr; no error is set. */
static void join_threads(void)
{
	PyObject *threading = loaded_module("threading");
	bool nothing_new =
		thread_functions && PyList_GET_SIZE(thread_functions) == thread_functions_first;

	if (threading && !(nothing_new && python_is_single_thread()))
		call_end(threading, "_shutdown");
}

/* After the program's exit functions: flush and close logging's handlers. */
static void close_logs(void)
{
	PyObject *logging = loaded_module("logging");

	if (logging && log_handlers && PyList_GET_SIZE(log_handlers) != log_handlers_first)
		call_end(logging, "shutdown");
}

static PyObject *run_exit_functions; /* atexit._run_exitfuncs */

enum { EXIT_OUTPUT_LOST = 120 };

int python_finish_prepare(void)
{
	AUTO_OBJECT *module = PyImport_ImportModule("atexit");

	run_exit_functions = module ? PyObject_GetAttrString(module, "_run_exitfuncs") : NULL;
	return run_exit_functions ? prepare_ending() : -1;
}

static void run_handlers(void)
{
	AUTO_OBJECT *done = PyObject_CallFunctionObjArgs(run_exit_functions, NULL);

	PyErr_Clear(); /* each failure has been printed */
}

/* What holds on to the program's functions, and so to its names. */
static void drop_holders(void)
{
	static const char *const hooks[][2] = {
		{ "excepthook", "__excepthook__" },
		{ "displayhook", "__displayhook__" },
		{ "unraisablehook", "__unraisablehook__" },
		{ "stdin", "__stdin__" },
		{ "stdout", "__stdout__" },
		{ "stderr", "__stderr__" },
	};
	static const char *const lasts[] = { "last_type", "last_value", "last_traceback",
					     "last_exc" };

	for (size_t i = 0; i < sizeof lasts / sizeof lasts[0]; i++) {
		if (PySys_GetObject(lasts[i]))
			PySys_SetObject(lasts[i], NULL);
	}
	for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
		PyObject *original = PySys_GetObject(hooks[i][1]);

		if (original && PySys_GetObject(hooks[i][0]) != original)
			PySys_SetObject(hooks[i][0], original);
	}
	PyErr_Clear();
}

void python_finish_rehearse(void)
{
	join_threads();
	python_stdio_flush();
	drop_holders();
	python_main_drop();
	close_logs();
	fflush(NULL);
}

int python_finish(int exit_code)
{
	bool flushed;

	join_threads();
	run_handlers();
	close_logs();
	flushed = python_stdio_flush();
	drop_holders();
	if (python_main_drop())
		PyGC_Collect();
	if (!flushed)
		python_stdio_push(); /* its failure has been told */
	else
		flushed = python_stdio_flush();
	fflush(NULL); /* what C code printed */
	python_finish_stranger(flushed ? exit_code : EXIT_OUTPUT_LOST);
	return flushed ? exit_code : EXIT_OUTPUT_LOST;
}

static pid_t own_pid;

void python_finish_settle(void)
{
	own_pid = getpid();
}

bool python_finish_is_settled(void)
{
	return getpid() == own_pid;
}

void python_finish_stranger(int exit_code)
{
	if (python_finish_is_settled())
		return;
	own_pid = getpid();
	_exit(python_finish(exit_code));
}
