#include "zygote/python/python.h"

#include "common/fields.h"
#include "zygote/python/python_display.h"
#include "zygote/python/python_finish.h"
#include "zygote/python/python_job.h"
#include "zygote/python/python_judge.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_pure.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_repr.h"
#include "zygote/python/python_signals.h"
#include "zygote/python/python_stdio.h"

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
	python_repr_list_variables(report);
	python_stdio_end();
	return 0;
}

int python_run(const struct job *job, struct buffer *report)
{
	int exit_code = 0;

	python_finish_settle();
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
