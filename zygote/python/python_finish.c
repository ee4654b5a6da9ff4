#include "zygote/python/python.h"

#include <stdio.h>

#include "zygote/python/python_ending.h"
#include "zygote/python/python_finish.h"
#include "zygote/python/python_fork.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_stdio.h"

static PyObject *run_exit_functions; /* atexit._run_exitfuncs */

enum { EXIT_OUTPUT_LOST = 120 };

int python_finish_prepare(void)
{
	AUTO_OBJECT *module = PyImport_ImportModule("atexit");

	run_exit_functions = module ? PyObject_GetAttrString(module, "_run_exitfuncs") : NULL;
	return run_exit_functions ? 0 : -1;
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
	python_ending_join_threads();
	python_stdio_flush();
	drop_holders();
	python_main_drop();
	python_ending_close_logs();
	fflush(NULL);
}

int python_finish(int exit_code)
{
	bool flushed;

	python_ending_join_threads();
	run_handlers();
	python_ending_close_logs();
	flushed = python_stdio_flush();
	drop_holders();
	if (python_main_drop())
		PyGC_Collect();
	if (!flushed)
		python_stdio_push(); /* its failure has been told */
	else
		flushed = python_stdio_flush();
	fflush(NULL); /* what C code printed */
	python_fork_end_stranger(flushed ? exit_code : EXIT_OUTPUT_LOST);
	return flushed ? exit_code : EXIT_OUTPUT_LOST;
}
