#include "zygote/python/python_main.h"

#include <stdbool.h>

#include "zygote/python/python_report.h"
#include "zygote/python/python_source.h"

static PyObject *loop;

static bool is_true(PyObject *object, const char *question)
{
	AUTO_OBJECT *answer = PyObject_CallMethod(object, question, NULL);
	bool truth = answer && PyObject_IsTrue(answer) > 0;

	PyErr_Clear();
	return truth;
}

/* Borrowed, or NULL with an error. */
static PyObject *ensure_loop(void)
{
	AUTO_OBJECT *asyncio = PyImport_ImportModule("asyncio");

	if (!asyncio)
		return NULL;
	if (!loop || is_true(loop, "is_closed"))
		Py_XSETREF(loop, PyObject_CallMethod(asyncio, "new_event_loop", NULL));
	if (!loop)
		return NULL;

	/* asyncio.run() leaves none behind */
	AUTO_OBJECT *done = PyObject_CallMethod(asyncio, "set_event_loop", "O", loop);
	return done ? loop : NULL;
}

/* An interrupt or sys.exit() leaves run_until_complete() at once: without this
 * the rest of the coroutine would run in some later cell. */
static void stop_task(PyObject *task)
{
	if (!is_true(task, "done")) {
		AUTO_OBJECT *asked = PyObject_CallMethod(task, "cancel", NULL);
		AUTO_OBJECT *ended =
			asked ? PyObject_CallMethod(loop, "run_until_complete", "O", task) : NULL;
		PyErr_Clear();
	}
	if (!is_true(task, "cancelled")) {
		/* seen: else its destruction complains that nobody looked */
		AUTO_OBJECT *seen = PyObject_CallMethod(task, "exception", NULL);
		PyErr_Clear();
	}
}

PyObject *python_job_await(PyObject *coroutine)
{
	PyObject *running = ensure_loop();
	AUTO_OBJECT *task =
		running ? PyObject_CallMethod(running, "create_task", "O", coroutine) : NULL;
	if (!task)
		return NULL;

	PyObject *value = PyObject_CallMethod(running, "run_until_complete", "O", task);
	if (value)
		return value;

	PyObject *exception = python_error_take();
	stop_task(task);
	python_error_restore(exception);
	return NULL;
}

/* No frame of ours is below the program's. */
static PyObject *run_code(PyObject *code, PyObject *globals)
{
	PyObject *value = PyEval_EvalCode(code, globals, globals);

	/* code with `await` outside of a function gives a coroutine to run */
	if (!value || !(((PyCodeObject *)code)->co_flags & CO_COROUTINE))
		return value;

	AUTO_OBJECT *coroutine = value;
	return python_job_await(coroutine);
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

/* Some errors are found when the compiler has no text any more ("return" outside
 * of a function). It then looks for a file: the workspace may have one of that
 * name, with something else in it. */
static void put_line_into_error(PyObject *filename)
{
	AUTO_OBJECT *exception = python_error_take();

	if (exception && PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SyntaxError)) {
		long number = python_traceback_line(exception, filename);
		AUTO_OBJECT *line = python_source_line(filename, number);

		if (line && PyObject_SetAttrString(exception, "text", line) < 0)
			PyErr_Clear();
	}
	if (exception)
		python_error_restore(take_object(&exception));
}

/* After an error, which stays. */
static void remember_source(const struct job *job, PyObject *filename)
{
	AUTO_OBJECT *exception = python_error_take();

	python_source_remember(filename, job->code, job->code_length);
	if (exception)
		python_error_restore(take_object(&exception));
}

PyObject *python_job_evaluate(const struct job *job, PyObject *filename, int *flags)
{
	AUTO_PROGRAM program = { NULL, NULL };
	PyObject *globals = python_main_globals();
	/* what leaves no code behind is in no later traceback */
	bool late = python_pure_is_expected();

	if (!late)
		python_source_remember(filename, job->code, job->code_length);
	if (python_compile_program(job->code, job->code_length, filename, flags, &program) < 0) {
		if (late)
			remember_source(job, filename);
		put_line_into_error(filename);
		return NULL;
	}

	PyObject *value = run_program(&program, globals);
	if (!value && late)
		remember_source(job, filename);
	return value;
}
