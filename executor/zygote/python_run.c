#include "python.h"

#include "python_compile.h"
#include "python_fork.h"
#include "python_main.h"
#include "python_object.h"
#include "python_outcome.h"
#include "python_source.h"
#include "python_stdio.h"

/* What tracebacks call a one-shot's source; there is no such file. */
static const char script_name[] = "main.py";

static PyObject *evaluate(const struct program *program, PyObject *globals)
{
	if (program->body) {
		AUTO_OBJECT *done = PyEval_EvalCode(program->body, globals, globals);

		if (!done)
			return NULL;
	}
	return program->last ? PyEval_EvalCode(program->last, globals, globals) : Py_NewRef(Py_None);
}

/* The value of the last expression, or NULL with an error. */
static PyObject *run_source(const struct job *job, PyObject *filename)
{
	AUTO_PROGRAM program = { NULL, NULL };
	int flags = 0;

	if (python_main_create(job->restricted) < 0)
		return NULL;
	python_source_remember(filename, job->code, job->code_length);
	if (python_compile_program(job->code, job->code_length, filename, &flags, &program) < 0)
		return NULL;
	return evaluate(&program, python_main_globals());
}

static int run_script(const struct job *job, struct buffer *report)
{
	AUTO_OBJECT *filename = PyUnicode_FromString(script_name);
	AUTO_OBJECT *value = filename ? run_source(job, filename) : NULL;

	return value ? python_outcome_ended(value, filename, report)
		     : python_outcome_raised(filename, report);
}

int python_run(const struct job *job, struct buffer *report)
{
	int exit_code = 0;

	python_fork_settle();
	python_stdio_begin(job);
	switch (job->kind) {
	case JOB_SCRIPT:
		exit_code = run_script(job, report);
		break;
	case JOB_CELL:
	case JOB_VARIABLES:
		break;
	}
	python_fork_end_stranger(exit_code);
	return exit_code;
}
