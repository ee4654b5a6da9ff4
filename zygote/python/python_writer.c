#include "zygote/python/python_stdio.h"

#include <string.h>

enum { SMALL_MAX = 4096 /* characters */ };

/* What our types add behind CPython's own structs, which it does not show. */
struct binary_part {
	int fd; /* 0: made by the program itself, and no more than its base */
	bool closed;
};

struct text_part {
	struct binary_part *binary; /* of the layer below, which the base holds on to */
	bool plain;                 /* UTF-8, and nothing changed or detached */
	bool line_buffering;
	bool write_through; /* as the program has it; the base's is always on */
};

static PyTypeObject *type_binary, *type_text, *base_binary, *base_text;

static struct binary_part *binary_part(PyObject *self)
{
	return (struct binary_part *)((char *)self + base_binary->tp_basicsize);
}

static struct text_part *text_part(PyObject *self)
{
	return (struct text_part *)((char *)self + base_text->tp_basicsize);
}

/* What the base does, unbound: super().name(*args, **keywords). */
static PyObject *call_base(PyTypeObject *base, PyObject *self, const char *name, PyObject *args,
			   PyObject *keywords)
{
	AUTO_OBJECT *method = PyObject_GetAttrString((PyObject *)base, name);
	AUTO_OBJECT *first = PyTuple_Pack(1, self);
	AUTO_OBJECT *all = first && args ? PySequence_Concat(first, args) : Py_XNewRef(first);

	return method && all ? PyObject_Call(method, all, keywords) : NULL;
}

/* -- the binary layer ------------------------------------------------------------------- */

static bool is_open(const struct binary_part *part)
{
	return part->fd && !part->closed;
}

/* The layers below can be closed as well, and the base knows how to say so. */
static bool is_closed(PyObject *self)
{
	AUTO_OBJECT *closed = PyObject_GetAttrString(self, "closed");
	bool truth = !closed || PyObject_IsTrue(closed) != 0;

	PyErr_Clear();
	return truth;
}

static PyObject *binary_write(PyObject *self, PyObject *data)
{
	struct binary_part *part = binary_part(self);
	Py_buffer view;

	if (!is_open(part)) {
		AUTO_OBJECT *args = PyTuple_Pack(1, data);

		return args ? call_base(base_binary, self, "write", args, NULL) : NULL;
	}
	if (PyUnicode_Check(data))
		return PyErr_Format(PyExc_TypeError, "a bytes-like object is required, not '%s'",
				    Py_TYPE(data)->tp_name);
	if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
		return NULL;

	int failed = python_text_append(part->fd, view.buf, (size_t)view.len);
	Py_ssize_t length = view.len;

	PyBuffer_Release(&view);
	return failed ? NULL : PyLong_FromSsize_t(length);
}

static PyObject *binary_flush(PyObject *self, PyObject *nothing)
{
	struct binary_part *part = binary_part(self);

	(void)nothing;
	if (!is_open(part) || is_closed(self))
		return call_base(base_binary, self, "flush", NULL, NULL);
	if (python_text_flush(part->fd))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *binary_close(PyObject *self, PyObject *nothing)
{
	PyObject *done = call_base(base_binary, self, "close", NULL, NULL);

	(void)nothing;
	binary_part(self)->closed = true;
	return done;
}

static PyObject *binary_detach(PyObject *self, PyObject *nothing)
{
	PyObject *raw = call_base(base_binary, self, "detach", NULL, NULL);

	(void)nothing;
	if (raw)
		binary_part(self)->closed = true;
	return raw;
}

static PyMethodDef binary_methods[] = {
	{ "write", binary_write, METH_O, NULL },
	{ "flush", binary_flush, METH_NOARGS, NULL },
	{ "close", binary_close, METH_NOARGS, NULL },
	{ "detach", binary_detach, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

/* -- the text layer ---------------------------------------------------------------------- */

static PyObject *write_by_base(PyObject *self, PyObject *text)
{
	AUTO_OBJECT *args = PyTuple_Pack(1, text);

	return args ? call_base(base_text, self, "write", args, NULL) : NULL;
}

static PyObject *text_write(PyObject *self, PyObject *text)
{
	struct text_part *part = text_part(self);
	Py_ssize_t length;

	if (!part->plain || !is_open(part->binary) || !PyUnicode_Check(text) ||
	    PyUnicode_READY(text) < 0)
		return write_by_base(self, text);

	/* what is not ASCII would keep its UTF-8 for as long as the program keeps it */
	bool is_small = PyUnicode_IS_ASCII(text) || PyUnicode_GET_LENGTH(text) <= SMALL_MAX;
	const char *bytes = is_small ? PyUnicode_AsUTF8AndSize(text, &length) : NULL;
	if (!bytes) { /* or surrogates: the error handler's */
		PyErr_Clear();
		return write_by_base(self, text);
	}

	int fd = part->binary->fd;
	if (python_text_append(fd, bytes, (size_t)length))
		return NULL;
	if (part->line_buffering &&
	    (memchr(bytes, '\n', (size_t)length) || memchr(bytes, '\r', (size_t)length)) &&
	    python_text_flush(fd))
		return NULL;
	return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

static PyObject *given(PyObject *keywords, const char *name)
{
	PyObject *value = keywords ? PyDict_GetItemString(keywords, name) : NULL;

	return value == Py_None ? NULL : value;
}

/* Nothing may stay in the base's own buffer: it is always told to write through. */
static PyObject *text_reconfigure(PyObject *self, PyObject *args, PyObject *keywords)
{
	struct text_part *part = text_part(self);
	AUTO_OBJECT *passed = keywords ? PyDict_Copy(keywords) : PyDict_New();
	PyObject *through = given(keywords, "write_through");
	PyObject *lines = given(keywords, "line_buffering");

	if (!passed || (part->binary && PyDict_SetItemString(passed, "write_through", Py_True) < 0))
		return NULL;

	PyObject *done = call_base(base_text, self, "reconfigure", args, passed);
	if (!done || !part->binary)
		return done;
	if (given(keywords, "encoding") || given(keywords, "errors") ||
	    (keywords && PyDict_GetItemString(keywords, "newline")))
		part->plain = false;
	if (lines)
		part->line_buffering = PyObject_IsTrue(lines) > 0;
	if (through)
		part->write_through = PyObject_IsTrue(through) > 0;
	PyErr_Clear();
	return done;
}

static PyObject *text_detach(PyObject *self, PyObject *nothing)
{
	PyObject *buffer = call_base(base_text, self, "detach", NULL, NULL);

	(void)nothing;
	if (buffer)
		text_part(self)->plain = false;
	return buffer;
}

static PyObject *text_get_write_through(PyObject *self, void *nothing)
{
	(void)nothing;
	return PyBool_FromLong(text_part(self)->write_through);
}

static PyMethodDef text_methods[] = {
	{ "write", text_write, METH_O, NULL },
	{ "reconfigure", PYTHON_WITH_KEYWORDS(text_reconfigure), METH_VARARGS | METH_KEYWORDS,
	  NULL },
	{ "detach", text_detach, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef text_members[] = {
	{ "write_through", text_get_write_through, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

/* -- making them ------------------------------------------------------------------------- */

static PyTypeObject *make_type(PyTypeObject *base, const char *name, size_t part,
			       PyType_Slot *slots)
{
	PyType_Spec spec = {
		.name = name,
		.basicsize = (int)((size_t)base->tp_basicsize + part),
		.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
		.slots = slots,
	};
	AUTO_OBJECT *bases = PyTuple_Pack(1, base);

	return bases ? (PyTypeObject *)PyType_FromSpecWithBases(&spec, bases) : NULL;
}

int python_writer_prepare(void)
{
	static PyType_Slot binary_slots[] = { { Py_tp_methods, binary_methods }, { 0, NULL } };
	static PyType_Slot text_slots[] = { { Py_tp_methods, text_methods },
					    { Py_tp_getset, text_members },
					    { 0, NULL } };
	AUTO_OBJECT *io = PyImport_ImportModule("_io");

	if (!io)
		return -1;
	base_binary = (PyTypeObject *)PyObject_GetAttrString(io, "BufferedWriter");
	base_text = (PyTypeObject *)PyObject_GetAttrString(io, "TextIOWrapper");
	if (!base_binary || !base_text)
		return -1;
	type_binary = make_type(base_binary, "_io.BufferedWriter", sizeof(struct binary_part),
				binary_slots);
	type_text = make_type(base_text, "_io.TextIOWrapper", sizeof(struct text_part), text_slots);
	return type_binary && type_text ? 0 : -1;
}

PyObject *python_writer_new(int fd, PyObject *raw, const char *errors, bool line_buffering)
{
	AUTO_OBJECT *binary = PyObject_CallFunctionObjArgs((PyObject *)type_binary, raw, NULL);
	if (!binary)
		return NULL;
	binary_part(binary)->fd = fd;

	PyObject *text =
		PyObject_CallFunction((PyObject *)type_text, "OsssOO", binary, "utf-8", errors,
				      "\n", line_buffering ? Py_True : Py_False, Py_True);
	if (text)
		*text_part(text) = (struct text_part){ .binary = binary_part(binary),
						       .plain = true,
						       .line_buffering = line_buffering };
	return text;
}
