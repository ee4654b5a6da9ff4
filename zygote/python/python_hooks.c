#include "zygote/python/python_hooks.h"

#include "zygote/python/python_object.h"
#include "zygote/python/python_stdio.h"
#include "zygote/python/python_traceback.h"

/* sys.excepthook(type, value, traceback) */
static PyObject *show_uncaught(PyObject *self, PyObject *args)
{
	PyObject *type, *value, *traceback;

	(void)self;
	if (!PyArg_ParseTuple(args, "OOO:excepthook", &type, &value, &traceback))
		return NULL;
	if (!PyExceptionInstance_Check(value)) {
		PyErr_Display(type, value, traceback);
		Py_RETURN_NONE;
	}
	if (PyTraceBack_Check(traceback))
		PyException_SetTraceback(value, traceback);

	AUTO_OBJECT *text = python_traceback_format(value, NULL);
	if (text)
		python_stdio_say(text);
	Py_RETURN_NONE;
}

static PyObject *repr_of(PyObject *object)
{
	PyObject *text = PyObject_Repr(object);

	if (text)
		return text;
	PyErr_Clear();
	return PyUnicode_FromString("<object repr() failed>");
}

/* "Exception ignored in: <object>", as write_unraisable_exc_file() says it. */
static PyObject *ignored_heading(PyObject *message, PyObject *object)
{
	AUTO_OBJECT *standard = PyUnicode_FromString("Exception ignored in");
	PyObject *said = message && PyUnicode_Check(message) ? message : standard;

	if (!object || object == Py_None)
		return said == message ? PyUnicode_FromFormat("%U:\n", said)
				       : PyUnicode_FromStringAndSize(NULL, 0);

	AUTO_OBJECT *text = repr_of(object);
	return said && text ? PyUnicode_FromFormat("%U: %U\n", said, text) : NULL;
}

/* The text of an exception that a hook got as type, value and traceback. */
static PyObject *format_parts(PyObject *hook_args, int with_chain)
{
	AUTO_OBJECT *type = python_object_try(hook_args, "exc_type");
	AUTO_OBJECT *value = python_object_try(hook_args, "exc_value");
	AUTO_OBJECT *traceback = python_object_try(hook_args, "exc_traceback");

	if (!value || !PyExceptionInstance_Check(value))
		return type && PyType_Check(type)
			       ? PyUnicode_FromFormat("%s\n", ((PyTypeObject *)type)->tp_name)
			       : NULL;
	if (traceback && PyTraceBack_Check(traceback))
		PyException_SetTraceback(value, traceback);
	return with_chain ? python_traceback_format(value, NULL)
			  : python_traceback_format_alone(value);
}

/* Write `heading` and `text`, which are stolen and may be NULL with an error. */
static PyObject *say_both(PyObject *heading, PyObject *text)
{
	AUTO_OBJECT *first = heading;
	AUTO_OBJECT *second = text;
	AUTO_OBJECT *whole = first && second ? PyUnicode_Concat(first, second) : NULL;

	PyErr_Clear();
	if (whole)
		python_stdio_say(whole);
	Py_RETURN_NONE;
}

/* sys.unraisablehook(unraisable): __del__, exit handlers, ... */
static PyObject *show_unraisable(PyObject *self, PyObject *unraisable)
{
	AUTO_OBJECT *message = python_object_try(unraisable, "err_msg");
	AUTO_OBJECT *object = python_object_try(unraisable, "object");

	(void)self;
	return say_both(ignored_heading(message, object), format_parts(unraisable, 0));
}

static PyObject *thread_heading(PyObject *thread)
{
	AUTO_OBJECT *name = thread ? python_object_try(thread, "name") : NULL;

	return name && PyUnicode_Check(name)
		       ? PyUnicode_FromFormat("Exception in thread %U:\n", name)
		       : PyUnicode_FromFormat("Exception in thread %lu:\n",
					      PyThread_get_thread_ident());
}

/* threading.excepthook(args) */
static PyObject *show_of_thread(PyObject *self, PyObject *args)
{
	AUTO_OBJECT *type = python_object_try(args, "exc_type");
	AUTO_OBJECT *thread = python_object_try(args, "thread");

	(void)self;
	if (type == PyExc_SystemExit)
		Py_RETURN_NONE;
	return say_both(thread_heading(thread), format_parts(args, 1));
}

static PyMethodDef hook_uncaught = { "excepthook", show_uncaught, METH_VARARGS, NULL };
static PyMethodDef hook_unraisable = { "unraisablehook", show_unraisable, METH_O, NULL };
static PyMethodDef hook_of_thread = { "excepthook", show_of_thread, METH_O, NULL };

static int install_in_sys(PyMethodDef *method, const char *name, const char *original)
{
	AUTO_OBJECT *hook = PyCFunction_New(method, NULL);

	if (!hook)
		return -1;
	return PySys_SetObject(name, hook) < 0 || PySys_SetObject(original, hook) < 0 ? -1 : 0;
}

static int install_in_threading(void)
{
	AUTO_OBJECT *threading = PyImport_ImportModule("threading");
	AUTO_OBJECT *hook = PyCFunction_New(&hook_of_thread, NULL);

	if (!threading || !hook)
		return -1;
	return PyObject_SetAttrString(threading, "excepthook", hook) < 0 ||
			       PyObject_SetAttrString(threading, "__excepthook__", hook) < 0
		       ? -1
		       : 0;
}

int python_hooks_install(void)
{
	if (install_in_sys(&hook_uncaught, "excepthook", "__excepthook__") < 0 ||
	    install_in_sys(&hook_unraisable, "unraisablehook", "__unraisablehook__") < 0)
		return -1;
	return install_in_threading();
}
