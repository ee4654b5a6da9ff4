#include "zygote/python/python_run.h"

#include <stdio.h>
#include <unistd.h>

#include "common/fields.h"
#include "zygote/python/python.h"
#include "zygote/python/python_host.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_stdio.h"

/* -- the end ------------------------------------------------------------------------------------ */

/* Both keep what they will have to look after in a list: while that is as long
 * as in the zygote, the program has added nothing. */
static PyObject *log_handlers, *thread_functions;
static Py_ssize_t log_handlers_first, thread_functions_first;

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
	PyObject *logging = python_object_module("logging");
	PyObject *threading = python_object_module("threading");

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
	PyObject *threading = python_object_module("threading");
	bool nothing_new =
		thread_functions && PyList_GET_SIZE(thread_functions) == thread_functions_first;

	if (threading && !(nothing_new && python_is_single_thread()))
		call_end(threading, "_shutdown");
}

/* After the program's exit functions: flush and close logging's handlers. */
static void close_logs(void)
{
	PyObject *logging = python_object_module("logging");

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

void python_finish_stranger(int exit_code)
{
	if (python_host_is_settled())
		return;
	python_host_settle();
	_exit(python_finish(exit_code));
}

/* -- a job --------------------------------------------------------------------------------------- */

/* What tracebacks call a one-shot's source; there is no such file. */
static const char script_name[] = "main.py";

static int run_script(const struct job *job, struct buffer *report)
{
	int flags = 0;
	AUTO_OBJECT *filename = PyUnicode_FromString(script_name);
	AUTO_OBJECT *value = filename && python_main_create(job->restricted) == 0
				     ? python_job_evaluate(job, filename, &flags)
				     : NULL;

	int exit_code = value ? python_report_ended(value, filename, report)
			      : python_report_raised(filename, report);

	python_display_end();
	return exit_code;
}

/* `from __future__ import ...` holds for the cells after it. */
static int session_flags = PyCF_ALLOW_TOP_LEVEL_AWAIT;

static int ensure_main(const struct job *job)
{
	return python_main_globals() ? python_main_mend() : python_main_create(job->restricted);
}

/* The finder of the workspace notices new files by the directory's time, which
 * is coarser than the time between two cells. */
static void forget_directories(void)
{
	PyObject *cache = PySys_GetObject("path_importer_cache");

	if (cache && PyDict_Check(cache) && PyDict_GetItemString(cache, PYTHON_WORKSPACE) &&
	    PyDict_DelItemString(cache, PYTHON_WORKSPACE) < 0)
		PyErr_Clear();
}

static PyObject *evaluate_cell(const struct job *job, PyObject *filename)
{
	if (!filename || ensure_main(job) < 0)
		return NULL;
	forget_directories();
	return python_job_evaluate(job, filename, &session_flags);
}

/* Run a cell in the session's __main__, which the first one makes. Each cell has a
 * source of its own, "<cell N>"; exit() and an uncaught exception end the cell only. */
static int run_cell(const struct job *job, struct buffer *report)
{
	int exit_code;

	python_signals_begin(python_pure_is_quiet());

	AUTO_OBJECT *filename =
		PyUnicode_FromFormat("<cell %llu>", (unsigned long long)job->execution);
	AUTO_OBJECT *value = evaluate_cell(job, filename);
	if (value) {
		if (value != Py_None)
			python_main_keep_result(value);
		exit_code = python_report_ended(value, filename, report);
	} else {
		exit_code = python_report_raised(filename, report);
	}
	python_display_end();
	if (exit_code != 0 || !python_pure_is_silent())
		python_stdio_end();
	return exit_code;
}

static int list_variables(struct buffer *report)
{
	python_signals_begin(false);
	python_report_variables(report);
	python_stdio_end();
	return 0;
}

int python_run(const struct job *job, struct buffer *report)
{
	int exit_code = 0;

	python_host_settle();
	python_pure_begin(job);
	python_stdio_begin(job, python_pure_is_quiet());
	python_display_begin();
	switch (job->kind) {
	case JOB_SCRIPT:
		exit_code = run_script(job, report);
		break;
	case JOB_CELL:
		exit_code = run_cell(job, report);
		break;
	case JOB_VARIABLES:
		exit_code = list_variables(report);
		break;
	case JOB_LOAD:
	case JOB_CALL:
	case JOB_EXPECT:
	case JOB_PREPARE:
	case JOB_COMPARE:
		exit_code = python_judge_run(job, report);
		break;
	case JOB_COMMAND: /* never comes here */
		break;
	}
	if (python_pure_end(exit_code))
		fields_put_number(report, FIELD_PURE, 1);
	python_finish_stranger(exit_code);
	return exit_code;
}
