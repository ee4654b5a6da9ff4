#include "zygote/python/python_await.h"

#include <stdbool.h>

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

PyObject *python_await_run(PyObject *coroutine)
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
