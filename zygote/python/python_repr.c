#include "zygote/python/python_report.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/fields.h"

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

/* -- a text as a field, cut to fit --------------------------------------------------------------- */

static const char ellipsis[] = "\xe2\x80\xa6";

static PyObject *without_nul(PyObject *text)
{
	if (PyUnicode_FindChar(text, 0, 0, PyUnicode_GET_LENGTH(text), 1) < 0)
		return Py_NewRef(text);

	AUTO_OBJECT *nul = PyUnicode_FromOrdinal(0);
	AUTO_OBJECT *other = PyUnicode_FromOrdinal(0xfffd);
	return nul && other ? PyUnicode_Replace(text, nul, other, -1) : NULL;
}

/* str -> UTF-8 in a bytes object, without surrogates and NULs. */
static PyObject *encode(PyObject *text)
{
	AUTO_OBJECT *clean = without_nul(text);

	return clean ? PyUnicode_AsEncodedString(clean, "utf-8", "backslashreplace") : NULL;
}

static size_t room(const struct buffer *report)
{
	size_t limit = report->limit ? report->limit : SIZE_MAX;
	size_t taken = report->length + FIELD_HEADER_BYTES;

	return limit > taken ? limit - taken : 0;
}

/* A field of text[0..head], between and text[tail..length]. */
static void put_parts(struct buffer *report, unsigned tag, const char *text, size_t head,
		      const char *between, size_t tail, size_t length)
{
	AUTO_BUFFER whole = BUFFER_INIT(0);

	if (buffer_append(&whole, text, head) == 0 &&
	    buffer_append(&whole, between, strlen(between)) == 0 &&
	    buffer_append(&whole, text + tail, length - tail) == 0)
		fields_put_bytes(report, tag, whole.data, whole.length);
}

static void put_cut_end(struct buffer *report, unsigned tag, const char *text, size_t length,
			size_t longest)
{
	if (longest < strlen(ellipsis))
		return;
	put_parts(report, tag, text, utf8_cut(text, length, longest - strlen(ellipsis)), ellipsis,
		  length, length);
}

static void put_cut_middle(struct buffer *report, unsigned tag, const char *text, size_t length,
			   size_t longest)
{
	char between[64];

	if (longest < sizeof between) {
		put_cut_end(report, tag, text, length, longest);
		return;
	}

	size_t half = (longest - sizeof between) / 2;
	size_t head = utf8_cut(text, length, half);
	size_t tail = length - utf8_tail(text, length, half);

	snprintf(between, sizeof between, "\n[... %zu bytes left out ...]\n", tail - head);
	put_parts(report, tag, text, head, between, tail, length);
}

void python_repr_put(struct buffer *report, unsigned tag, PyObject *text, size_t longest,
		     enum report_cut cut)
{
	if (!text || !PyUnicode_Check(text))
		return;

	AUTO_OBJECT *encoded = encode(text);
	if (!encoded) {
		PyErr_Clear();
		return;
	}

	const char *bytes = PyBytes_AS_STRING(encoded);
	size_t length = (size_t)PyBytes_GET_SIZE(encoded);

	if (longest > room(report))
		longest = room(report);
	if (length <= longest)
		fields_put_bytes(report, tag, bytes, length);
	else if (cut == REPORT_CUT_MIDDLE)
		put_cut_middle(report, tag, bytes, length, longest);
	else
		put_cut_end(report, tag, bytes, length, longest);
}
