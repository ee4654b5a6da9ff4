#include "zygote/python/python_ending.h"

#include <stdbool.h>

#include "zygote/python/python_object.h"

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

int python_ending_prepare(void)
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

void python_ending_join_threads(void)
{
	PyObject *threading = loaded_module("threading");
	bool nothing_new =
		thread_functions && PyList_GET_SIZE(thread_functions) == thread_functions_first;

	if (threading && !(nothing_new && python_is_single_thread()))
		call_end(threading, "_shutdown");
}

void python_ending_close_logs(void)
{
	PyObject *logging = loaded_module("logging");

	if (logging && log_handlers && PyList_GET_SIZE(log_handlers) != log_handlers_first)
		call_end(logging, "shutdown");
}
