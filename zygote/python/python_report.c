#include "zygote/python/python_report.h"

#include <string.h>

#include "common/fields.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_stdio.h"

/* Above these, repr() takes long and shows nothing that a list of names needs. */
enum { INT_BITS_MAX = 12000, ELEMENTS_MAX = 1000 };

static PyObject *default_hook;  /* sys.excepthook as it is at the start */
static PyObject *size_function; /* sys.getsizeof */

int python_report_prepare(void)
{
	default_hook = Py_XNewRef(PySys_GetObject("excepthook"));
	size_function = Py_XNewRef(PySys_GetObject("getsizeof"));
	return default_hook && size_function ? 0 : -1;
}

/* -- how the job ended ---------------------------------------------------------------------- */

static void say(const char *text)
{
	AUTO_OBJECT *object = PyUnicode_FromString(text);

	if (object)
		python_stdio_say(object);
	PyErr_Clear();
}

/* The program's own excepthook; what it raises is shown as python3 does. */
static void call_hook(PyObject *hook, PyObject *exception, PyObject *text)
{
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);
	AUTO_OBJECT *done = PyObject_CallFunctionObjArgs(hook, Py_TYPE(exception), exception,
							 traceback ? traceback : Py_None, NULL);
	AUTO_OBJECT *failure = done ? NULL : python_error_take();

	if (!failure || PyErr_GivenExceptionMatches(failure, PyExc_SystemExit))
		return;

	AUTO_OBJECT *failure_text = python_traceback_format(failure, NULL);
	say("Error in sys.excepthook:\n");
	if (failure_text)
		python_stdio_say(failure_text);
	say("\nOriginal exception was:\n");
	if (text)
		python_stdio_say(text);
}

static void show(PyObject *exception, PyObject *text)
{
	AUTO_OBJECT *hook = Py_XNewRef(PySys_GetObject("excepthook"));

	if (hook && hook != default_hook) {
		call_hook(hook, exception, text);
		return;
	}
	if (!hook)
		say("sys.excepthook is missing\n");
	if (text)
		python_stdio_say(text);
}

/* For pdb.pm() and traceback.print_last(). */
static void keep_last(PyObject *exception)
{
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);

	PySys_SetObject("last_type", (PyObject *)Py_TYPE(exception));
	PySys_SetObject("last_value", exception);
	PySys_SetObject("last_traceback", traceback ? traceback : Py_None);
#if PY_VERSION_HEX >= 0x030c0000
	PySys_SetObject("last_exc", exception);
#endif
	PyErr_Clear();
}

static int report_exception(PyObject *exception, PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *message = NULL;

	python_traceback_strip(exception, filename);

	AUTO_OBJECT *text = python_traceback_format(exception, &message);
	AUTO_OBJECT *type = python_traceback_type_name(exception);
	long line = python_traceback_line(exception, filename);

	keep_last(exception);
	python_stdio_push(); /* what was printed before comes before */
	show(exception, text);

	fields_put_number(report, FIELD_ENDED_BY, ENDED_BY_EXCEPTION);
	fields_put_number(report, FIELD_EXIT_CODE, 1);
	if (line)
		fields_put_number(report, FIELD_EXCEPTION_LINE, (uint64_t)line);
	python_repr_put(report, FIELD_EXCEPTION_TYPE, type, REPORT_NAME_MAX, REPORT_CUT_END);
	python_repr_put(report, FIELD_EXCEPTION_MESSAGE, message, REPORT_MESSAGE_MAX,
			REPORT_CUT_END);
	python_repr_put(report, FIELD_TRACEBACK, text, REPORT_TEXT_MAX, REPORT_CUT_MIDDLE);
	return 1;
}

/* sys.exit(value): nothing is 0, a number is the code as exit() takes it, and
 * anything else is printed and means 1. */
static int exit_code_of(PyObject *exception)
{
	AUTO_OBJECT *code = python_object_try(exception, "code");

	if (!code || code == Py_None)
		return 0;
	if (PyLong_Check(code)) {
		long number = PyLong_AsLong(code); /* -1 for what is too large, as CPython */

		PyErr_Clear();
		return (int)((unsigned long)number & 0xff);
	}

	AUTO_OBJECT *text = PyObject_Str(code);
	PyErr_Clear();
	if (text)
		python_stdio_say(text);
	say("\n");
	return 1;
}

static int report_exit(PyObject *exception, struct buffer *report)
{
	python_stdio_push();

	int code = exit_code_of(exception);

	fields_put_number(report, FIELD_ENDED_BY, ENDED_BY_EXIT);
	fields_put_number(report, FIELD_EXIT_CODE, (uint64_t)code);
	return code;
}

int python_report_raised(PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *exception = python_error_take();

	if (!exception) /* a C function failed without saying why */
		PyErr_SetString(PyExc_SystemError, "error return without exception set");
	if (!exception)
		exception = python_error_take();
	if (PyErr_GivenExceptionMatches(exception, PyExc_SystemExit))
		return report_exit(exception, report);
	return report_exception(exception, filename, report);
}

int python_report_ended(PyObject *value, PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *text =
		value && value != Py_None ? python_repr_bounded(value, REPORT_TEXT_MAX) : NULL;

	if (PyErr_Occurred())
		return python_report_raised(filename, report);
	fields_put_number(report, FIELD_ENDED_BY, ENDED_NORMALLY);
	fields_put_number(report, FIELD_EXIT_CODE, 0);
	python_repr_put(report, FIELD_RESULT, text, REPORT_TEXT_MAX, REPORT_CUT_END);
	if (text)
		python_display_result(value, text);
	return 0;
}

/* -- what the program's names hold ------------------------------------------------------------ */

/* The elements of an object whose repr() would walk them all; -1 for others. */
static Py_ssize_t count_elements(PyObject *object)
{
	static const char *const walked[] = { "collections.deque", "array.array", "bytearray" };
	const char *name = Py_TYPE(object)->tp_name;

	if (PyDict_Check(object) && !PyDict_CheckExact(object))
		return PyDict_Size(object);
	if (PyList_Check(object) && !PyList_CheckExact(object))
		return PyList_Size(object);
	for (size_t i = 0; i < sizeof walked / sizeof walked[0]; i++) {
		if (strcmp(name, walked[i]) == 0)
			return PyObject_Size(object);
	}
	return -1;
}

static Py_ssize_t count_bits(PyObject *number)
{
	AUTO_OBJECT *bits = PyObject_CallMethod(number, "bit_length", NULL);

	return bits ? PyLong_AsSsize_t(bits) : -1;
}

/* A summary of what is too large to be shown, or NULL without an error. */
static PyObject *summarise(PyObject *object)
{
	const char *name = Py_TYPE(object)->tp_name;
	Py_ssize_t count = count_elements(object);

	if (count > ELEMENTS_MAX)
		return PyUnicode_FromFormat("<%s of %zd items>", name, count);
	if (PyLong_CheckExact(object)) {
		count = count_bits(object);
		if (count > INT_BITS_MAX)
			return PyUnicode_FromFormat("<%s of %zd bits>", name, count);
	}
	PyErr_Clear();
	return NULL;
}

static PyObject *cut(PyObject *text)
{
	if (PyUnicode_GET_LENGTH(text) <= VARIABLE_REPR_MAX)
		return Py_NewRef(text);

	AUTO_OBJECT *head = PyUnicode_Substring(text, 0, VARIABLE_REPR_MAX - 1);
	return head ? PyUnicode_FromFormat("%U%s", head, "\xe2\x80\xa6") : NULL;
}

static PyObject *describe(PyObject *object)
{
	AUTO_OBJECT *text = summarise(object);

	if (!text)
		text = python_repr_bounded(object, VARIABLE_REPR_MAX);
	if (text)
		return cut(text);

	AUTO_OBJECT *failure = python_error_take();
	return PyUnicode_FromFormat("<%s, whose repr() raises %s>", Py_TYPE(object)->tp_name,
				    failure ? Py_TYPE(failure)->tp_name : "an exception");
}

static PyObject *type_name(PyObject *object)
{
	const char *name = Py_TYPE(object)->tp_name; /* "module.Name" for types made in C */
	const char *dot = strrchr(name, '.');

	return PyUnicode_DecodeUTF8(dot ? dot + 1 : name, (Py_ssize_t)strlen(dot ? dot + 1 : name),
				    "replace");
}

static uint64_t measure(PyObject *object)
{
	AUTO_OBJECT *size = PyObject_CallFunctionObjArgs(size_function, object, NULL);
	Py_ssize_t bytes = size ? PyLong_AsSsize_t(size) : 0;

	return bytes > 0 ? (uint64_t)bytes : 0;
}

/* False when the report is full. */
static bool put_variable(struct buffer *report, PyObject *name, PyObject *value)
{
	AUTO_BUFFER entry = BUFFER_INIT(0);
	AUTO_OBJECT *type = type_name(value);
	AUTO_OBJECT *text = describe(value);

	PyErr_Clear();

	uint64_t size = measure(value);

	PyErr_Clear();
	python_repr_put(&entry, FIELD_NAME, name, REPORT_NAME_MAX, REPORT_CUT_END);
	python_repr_put(&entry, FIELD_TYPE, type, REPORT_NAME_MAX, REPORT_CUT_END);
	python_repr_put(&entry, FIELD_REPR, text, REPORT_TEXT_MAX, REPORT_CUT_END);
	fields_put_number(&entry, FIELD_SIZE_BYTES, size);
	return fields_put_bytes(report, FIELD_VARIABLE, entry.data, entry.length) == 0;
}

static bool is_shown(PyObject *name)
{
	return PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) &&
	       PyUnicode_READ_CHAR(name, 0) != '_';
}

void python_report_variables(struct buffer *report)
{
	PyObject *globals = python_main_globals();
	/* a copy: a __repr__ may make or delete names */
	AUTO_OBJECT *names = globals ? PyDict_Copy(globals) : NULL;
	PyObject *name, *value;
	Py_ssize_t at = 0;

	for (int count = 0;
	     names && count < VARIABLES_MAX && PyDict_Next(names, &at, &name, &value);) {
		if (!is_shown(name))
			continue;
		if (!put_variable(report, name, value))
			break;
		count++;
	}
	PyErr_Clear();
}
