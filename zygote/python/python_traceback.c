#include "zygote/python/python_report.h"

#include <stdbool.h>

#include "zygote/python/python_object.h"
#include "zygote/python/python_source.h"
#include "zygote/python/python_stdio.h"

/* Programs replace builtins and parts of `traceback`, on purpose or not. Their
 * own calls then see that; what we report must not. So `traceback` and
 * `linecache` are loaded a second time, with a copy of the builtins. */
static PyObject *type_formatter; /* TracebackException of our copy */
static PyObject *type_buffer;    /* io.StringIO, for the way of last resort */

static PyObject *load_copy(const char *name, PyObject *builtins)
{
	AUTO_OBJECT *tools = PyImport_ImportModule("importlib.util");
	AUTO_OBJECT *spec = tools ? PyObject_CallMethod(tools, "find_spec", "s", name) : NULL;
	AUTO_OBJECT *module =
		spec ? PyObject_CallMethod(tools, "module_from_spec", "O", spec) : NULL;
	AUTO_OBJECT *loader = module ? PyObject_GetAttrString(spec, "loader") : NULL;
	if (!loader || PyObject_SetAttrString(module, "__builtins__", builtins) < 0)
		return NULL;

	AUTO_OBJECT *done = PyObject_CallMethod(loader, "exec_module", "O", module);
	return done ? Py_NewRef(module) : NULL;
}

static int add_cache_of(PyObject *lines_module)
{
	AUTO_OBJECT *cache = PyObject_GetAttrString(lines_module, "cache");

	return cache ? python_source_add_cache(cache) : -1;
}

int python_traceback_prepare(void)
{
	AUTO_OBJECT *builtins = PyDict_Copy(PyEval_GetBuiltins());
	AUTO_OBJECT *public_lines = PyImport_ImportModule("linecache");
	AUTO_OBJECT *lines = builtins ? load_copy("linecache", builtins) : NULL;
	AUTO_OBJECT *formatting = lines ? load_copy("traceback", builtins) : NULL;
	AUTO_OBJECT *io = PyImport_ImportModule("_io");
	if (!public_lines || !formatting || !io ||
	    PyObject_SetAttrString(formatting, "linecache", lines) < 0 ||
	    add_cache_of(public_lines) < 0 || add_cache_of(lines) < 0)
		return -1;

	type_formatter = PyObject_GetAttrString(formatting, "TracebackException");
	type_buffer = PyObject_GetAttrString(io, "StringIO");
	return type_formatter && type_buffer ? 0 : -1;
}

static PyObject *make_formatter(PyObject *exception)
{
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);

	return PyObject_CallFunctionObjArgs(type_formatter, Py_TYPE(exception), exception,
					    traceback ? traceback : Py_None, NULL);
}

static PyObject *join_lines(PyObject *formatter, bool with_chain)
{
	AUTO_OBJECT *format = PyObject_GetAttrString(formatter, "format");
	AUTO_OBJECT *nothing = PyTuple_New(0);
	AUTO_OBJECT *options = Py_BuildValue("{sO}", "chain", with_chain ? Py_True : Py_False);
	AUTO_OBJECT *generator =
		format && nothing && options ? PyObject_Call(format, nothing, options) : NULL;
	AUTO_OBJECT *lines = generator ? PySequence_List(generator) : NULL;
	AUTO_OBJECT *empty = PyUnicode_FromStringAndSize(NULL, 0);

	return lines && empty ? PyUnicode_Join(empty, lines) : NULL;
}

/* What the formatter shows after "Type: ", so that __str__ runs once only. */
static PyObject *formatter_message(PyObject *formatter, PyObject *exception)
{
	bool syntax = PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SyntaxError);

	return python_object_try(formatter, syntax ? "msg" : "_str");
}

/* An exception that fails at everything it is asked leaves the type out. */
static PyObject *with_type(PyObject *text, PyObject *exception)
{
	AUTO_OBJECT *name = PyUnicode_FromString(Py_TYPE(exception)->tp_name);

	if (!text || !name || PyUnicode_Contains(text, name) > 0)
		return Py_XNewRef(text);
	return PyUnicode_FromFormat("%U%U\n", text, name);
}

/* CPython's own display, without source lines of the program, into a text. */
static PyObject *display(PyObject *exception)
{
	AUTO_OBJECT *buffer = PyObject_CallFunctionObjArgs(type_buffer, NULL);
	AUTO_OBJECT *stderr_kept = Py_XNewRef(PySys_GetObject("stderr"));
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);
	if (!buffer || PySys_SetObject("stderr", buffer) < 0)
		return NULL;

	PyErr_Display((PyObject *)Py_TYPE(exception), exception, traceback);
	PySys_SetObject("stderr", stderr_kept);

	AUTO_OBJECT *text = PyObject_CallMethod(buffer, "getvalue", NULL);
	return with_type(text, exception);
}

/* Without the chain: not what was raised before it (its cause or context). */
static PyObject *format(PyObject *exception, bool with_chain, PyObject **ret_message)
{
	AUTO_OBJECT *formatter = make_formatter(exception);
	AUTO_OBJECT *text = formatter ? join_lines(formatter, with_chain) : NULL;

	PyErr_Clear();
	if (ret_message)
		*ret_message = formatter ? formatter_message(formatter, exception) : NULL;
	if (text)
		return Py_NewRef(text);

	text = display(exception);
	PyErr_Clear();
	if (text && PyUnicode_GET_LENGTH(text))
		return Py_NewRef(text);

	Py_XSETREF(text, PyUnicode_FromFormat("%s\n", Py_TYPE(exception)->tp_name));
	PyErr_Clear();
	return Py_XNewRef(text);
}

PyObject *python_traceback_format(PyObject *exception, PyObject **ret_message)
{
	return format(exception, true, ret_message);
}

PyObject *python_traceback_type_name(PyObject *exception)
{
	PyObject *type = (PyObject *)Py_TYPE(exception);
	AUTO_OBJECT *name = python_object_try(type, "__qualname__");
	AUTO_OBJECT *module = python_object_try(type, "__module__");

	if (!name || !PyUnicode_Check(name))
		Py_XSETREF(name, PyUnicode_FromString(Py_TYPE(exception)->tp_name));
	if (name && module && PyUnicode_Check(module) &&
	    PyUnicode_CompareWithASCIIString(module, "builtins") != 0 &&
	    PyUnicode_CompareWithASCIIString(module, "__main__") != 0)
		Py_XSETREF(name, PyUnicode_FromFormat("%U.%U", module, name));
	PyErr_Clear();
	return Py_XNewRef(name);
}

static bool is_text(PyObject *object, PyObject *text)
{
	return object && PyUnicode_Check(object) && PyUnicode_Compare(object, text) == 0;
}

static bool is_inside(PyTracebackObject *entry, PyObject *filename)
{
	PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
	bool inside = is_text(code->co_filename, filename);

	Py_DECREF(code);
	return inside;
}

/* A new reference, or NULL. An exception that no frame has seen can have None. */
static PyObject *first_entry(PyObject *exception)
{
	AUTO_OBJECT *first = PyException_GetTraceback(exception);

	return first && PyTraceBack_Check(first) ? take_object(&first) : NULL;
}

void python_traceback_strip(PyObject *exception, PyObject *filename)
{
	AUTO_OBJECT *first = first_entry(exception);

	for (PyTracebackObject *at = (PyTracebackObject *)first; at; at = at->tb_next) {
		if (is_inside(at, filename)) {
			PyException_SetTraceback(exception, (PyObject *)at);
			return;
		}
	}
}

static long number_of(PyObject *object, const char *name)
{
	AUTO_OBJECT *value = python_object_try(object, name);
	long number = value && PyLong_Check(value) ? PyLong_AsLong(value) : 0;

	PyErr_Clear();
	return number > 0 ? number : 0;
}

static long syntax_line(PyObject *exception, PyObject *filename)
{
	AUTO_OBJECT *where = python_object_try(exception, "filename");

	return is_text(where, filename) ? number_of(exception, "lineno") : 0;
}

long python_traceback_line(PyObject *exception, PyObject *filename)
{
	AUTO_OBJECT *first = first_entry(exception);
	long line = 0;

	for (PyTracebackObject *at = (PyTracebackObject *)first; at; at = at->tb_next) {
		if (is_inside(at, filename))
			line = number_of((PyObject *)at, "tb_lineno");
	}
	if (!line && PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SyntaxError))
		line = syntax_line(exception, filename);
	return line;
}

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
	return format(value, with_chain, NULL);
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

int python_traceback_install_hooks(void)
{
	if (install_in_sys(&hook_uncaught, "excepthook", "__excepthook__") < 0 ||
	    install_in_sys(&hook_unraisable, "unraisablehook", "__unraisablehook__") < 0)
		return -1;
	return install_in_threading();
}
