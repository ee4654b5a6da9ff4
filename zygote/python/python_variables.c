#include "zygote/python/python_variables.h"

#include <stdbool.h>
#include <string.h>

#include "common/fields.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_repr.h"

/* Above these, repr() takes long and shows nothing that a list of names needs. */
enum { INT_BITS_MAX = 12000, ELEMENTS_MAX = 1000 };

static PyObject *size_function; /* sys.getsizeof */

int python_variables_prepare(void)
{
	size_function = Py_XNewRef(PySys_GetObject("getsizeof"));
	return size_function ? 0 : -1;
}

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
	python_report_text(&entry, FIELD_NAME, name, REPORT_NAME_MAX, REPORT_CUT_END);
	python_report_text(&entry, FIELD_TYPE, type, REPORT_NAME_MAX, REPORT_CUT_END);
	python_report_text(&entry, FIELD_REPR, text, REPORT_TEXT_MAX, REPORT_CUT_END);
	fields_put_number(&entry, FIELD_SIZE_BYTES, size);
	return fields_put_bytes(report, FIELD_VARIABLE, entry.data, entry.length) == 0;
}

static bool is_shown(PyObject *name)
{
	return PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) &&
	       PyUnicode_READ_CHAR(name, 0) != '_';
}

void python_variables_list(struct buffer *report)
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
