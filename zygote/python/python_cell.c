#include "zygote/python/python_cell.h"

#include "zygote/python/python_job.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_outcome.h"
#include "zygote/python/python_pure.h"
#include "zygote/python/python_signals.h"
#include "zygote/python/python_stdio.h"

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

static PyObject *evaluate(const struct job *job, PyObject *filename)
{
	if (!filename || ensure_main(job) < 0)
		return NULL;
	forget_directories();
	return python_job_evaluate(job, filename, &session_flags);
}

int python_cell_run(const struct job *job, struct buffer *report)
{
	int exit_code;

	python_signals_begin(python_pure_is_quiet());

	AUTO_OBJECT *filename =
		PyUnicode_FromFormat("<cell %llu>", (unsigned long long)job->execution);
	AUTO_OBJECT *value = evaluate(job, filename);
	if (value) {
		if (value != Py_None)
			python_main_keep_result(value);
		exit_code = python_outcome_ended(value, filename, report);
	} else {
		exit_code = python_outcome_raised(filename, report);
	}
	if (exit_code != 0 || !python_pure_is_silent())
		python_stdio_end();
	return exit_code;
}
