#include "zygote/python/python_repr.h"

#include <stdbool.h>
#include <string.h>

#include "common/fields.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"

/* The text so far, and how many characters are still wanted. */
struct repr_text {
	PyObject *pieces; /* list of str */
	Py_ssize_t wanted;
};

/* Each step: 0 go on, 1 that is enough, -1 with an error. */
enum { GO_ON = 0, ENOUGH = 1, FAILED = -1 };

static int write_object(struct repr_text *text, PyObject *object);

/* Steals `piece`, which may be NULL with an error. */
static int write_piece(struct repr_text *text, PyObject *piece)
{
	AUTO_OBJECT *owned = piece;

	if (!owned || PyList_Append(text->pieces, owned) < 0)
		return FAILED;
	text->wanted -= PyUnicode_GET_LENGTH(owned);
	return text->wanted <= 0 ? ENOUGH : GO_ON;
}

static int write_ascii(struct repr_text *text, const char *ascii)
{
	return write_piece(text, PyUnicode_FromString(ascii));
}

static int write_str(struct repr_text *text, PyObject *object)
{
	if (PyUnicode_GET_LENGTH(object) <= text->wanted)
		return write_piece(text, PyObject_Repr(object));

	AUTO_OBJECT *part = PyUnicode_Substring(object, 0, text->wanted);
	return part ? write_piece(text, PyObject_Repr(part)) : FAILED;
}

static int write_bytes(struct repr_text *text, PyObject *object)
{
	if (PyBytes_GET_SIZE(object) <= text->wanted)
		return write_piece(text, PyObject_Repr(object));

	AUTO_OBJECT *part = PyBytes_FromStringAndSize(PyBytes_AS_STRING(object), text->wanted);
	return part ? write_piece(text, PyObject_Repr(part)) : FAILED;
}

/* One element of a container, after a comma unless it is the first. */
static int write_element(struct repr_text *text, PyObject *element, bool is_first)
{
	AUTO_OBJECT *held = Py_NewRef(element); /* its repr may take it out of the container */
	int step = is_first ? GO_ON : write_ascii(text, ", ");

	return step == GO_ON ? write_object(text, held) : step;
}

static int write_list(struct repr_text *text, PyObject *list)
{
	int step = write_ascii(text, "[");

	for (Py_ssize_t i = 0; step == GO_ON && i < PyList_GET_SIZE(list); i++)
		step = write_element(text, PyList_GET_ITEM(list, i), i == 0);
	return step == GO_ON ? write_ascii(text, "]") : step;
}

static int write_tuple(struct repr_text *text, PyObject *tuple)
{
	int step = write_ascii(text, "(");

	for (Py_ssize_t i = 0; step == GO_ON && i < PyTuple_GET_SIZE(tuple); i++)
		step = write_element(text, PyTuple_GET_ITEM(tuple, i), i == 0);
	if (step != GO_ON)
		return step;
	return write_ascii(text, PyTuple_GET_SIZE(tuple) == 1 ? ",)" : ")");
}

static int write_set(struct repr_text *text, PyObject *set)
{
	AUTO_OBJECT *elements = PySequence_List(set);
	if (!elements)
		return FAILED;

	bool frozen = PyFrozenSet_CheckExact(set);
	if (PyList_GET_SIZE(elements) == 0)
		return write_ascii(text, frozen ? "frozenset()" : "set()");

	int step = write_ascii(text, frozen ? "frozenset({" : "{");
	for (Py_ssize_t i = 0; step == GO_ON && i < PyList_GET_SIZE(elements); i++)
		step = write_element(text, PyList_GET_ITEM(elements, i), i == 0);
	return step == GO_ON ? write_ascii(text, frozen ? "})" : "}") : step;
}

static int write_dict(struct repr_text *text, PyObject *dict)
{
	int step = write_ascii(text, "{");
	PyObject *key, *value;
	Py_ssize_t at = 0;

	for (bool is_first = true; step == GO_ON && PyDict_Next(dict, &at, &key, &value);
	     is_first = false) {
		AUTO_OBJECT *held = Py_NewRef(value);

		step = write_element(text, key, is_first);
		if (step == GO_ON)
			step = write_ascii(text, ": ");
		if (step == GO_ON)
			step = write_object(text, held);
	}
	return step == GO_ON ? write_ascii(text, "}") : step;
}

/* The containers that may contain themselves: `around` is what then stands for it. */
static int write_container(struct repr_text *text, PyObject *container, const char *around,
			   int (*write)(struct repr_text *text, PyObject *container))
{
	int entered = Py_ReprEnter(container);

	if (entered < 0)
		return FAILED;
	if (entered > 0)
		return write_ascii(text, around);
	if (Py_EnterRecursiveCall(" while getting the repr of an object")) {
		Py_ReprLeave(container);
		return FAILED;
	}

	int step = write(text, container);
	Py_LeaveRecursiveCall();
	Py_ReprLeave(container);
	return step;
}

static int write_object(struct repr_text *text, PyObject *object)
{
	if (PyUnicode_CheckExact(object))
		return write_str(text, object);
	if (PyBytes_CheckExact(object))
		return write_bytes(text, object);
	if (PyList_CheckExact(object))
		return write_container(text, object, "[...]", write_list);
	if (PyTuple_CheckExact(object))
		return write_container(text, object, "(...)", write_tuple);
	if (PyDict_CheckExact(object))
		return write_container(text, object, "{...}", write_dict);
	if (PyAnySet_CheckExact(object))
		return write_container(
			text, object,
			PyFrozenSet_CheckExact(object) ? "frozenset(...)" : "set(...)", write_set);
	return write_piece(text, PyObject_Repr(object));
}

PyObject *python_repr_bounded(PyObject *object, Py_ssize_t longest)
{
	AUTO_OBJECT *pieces = PyList_New(0);
	AUTO_OBJECT *empty = PyUnicode_FromStringAndSize(NULL, 0);
	if (!pieces || !empty)
		return NULL;

	struct repr_text text = { pieces, longest + 1 };
	if (write_object(&text, object) == FAILED)
		return NULL;
	return PyUnicode_Join(empty, pieces);
}

/* Above these, repr() takes long and shows nothing that a list of names needs. */
enum { INT_BITS_MAX = 12000, ELEMENTS_MAX = 1000 };

static PyObject *size_function; /* sys.getsizeof */

int python_repr_prepare(void)
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

void python_repr_list_variables(struct buffer *report)
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
