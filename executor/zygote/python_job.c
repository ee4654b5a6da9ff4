#include "python_job.h"

#include "python_await.h"
#include "python_compile.h"
#include "python_main.h"
#include "python_source.h"

/* No frame of ours is below the program's. */
static PyObject *run_code(PyObject *code, PyObject *globals)
{
	PyObject *value = PyEval_EvalCode(code, globals, globals);

	/* code with `await` outside of a function gives a coroutine to run */
	if (!value || !(((PyCodeObject *)code)->co_flags & CO_COROUTINE))
		return value;

	AUTO_OBJECT *coroutine = value;
	return python_await_run(coroutine);
}

static PyObject *run_program(const struct program *program, PyObject *globals)
{
	if (program->body) {
		AUTO_OBJECT *done = run_code(program->body, globals);

		if (!done)
			return NULL;
	}
	return program->last ? run_code(program->last, globals) : Py_NewRef(Py_None);
}

PyObject *python_job_evaluate(const struct job *job, PyObject *filename, int *flags)
{
	AUTO_PROGRAM program = { NULL, NULL };
	PyObject *globals = python_main_globals();

	python_source_remember(filename, job->code, job->code_length);
	if (python_compile_program(job->code, job->code_length, filename, flags, &program) < 0)
		return NULL;
	return run_program(&program, globals);
}
