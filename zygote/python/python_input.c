#include "zygote/python/python_stdio.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/python/python_host.h"

enum { READ_ALL_BYTES = 64 << 10 };

static PyTypeObject *type_raw;
static PyObject *real_input, *real_getpass;
static PyObject *stream; /* sys.stdin, as it was made for this job; not owned */
static bool interactive, given_is_read, ended;

/* What came with the last answer and is not read yet. */
static char *typed;
static size_t typed_length, typed_done;

/* What goes with the next ring; not owned. */
static PyObject *prompt;
static bool is_password;

void python_input_begin(bool is_interactive)
{
	interactive = is_interactive;
	given_is_read = ended = false;
	free(typed);
	typed = NULL;
	typed_length = typed_done = 0;
}

bool python_input_is_interactive(void)
{
	return interactive;
}

void python_input_set_stream(PyObject *made)
{
	stream = made;
}

/* -- asking ------------------------------------------------------------------------------ */

static void flush_output(void)
{
	(void)python_text_flush(STDOUT_FILENO);
	PyErr_Clear();
	(void)python_text_flush(STDERR_FILENO);
	PyErr_Clear();
}

static int keep_typed(void)
{
	size_t length;
	const char *bytes = python_host_input(&length);

	free(typed);
	typed_length = typed_done = 0;
	typed = malloc(length + 1);
	if (!typed) {
		PyErr_NoMemory();
		return -1;
	}
	memcpy(typed, bytes, length);
	typed_length = length;
	return 0;
}

static int ask(void)
{
	Py_ssize_t length = 0;
	AUTO_OBJECT *text = prompt ? PyUnicode_AsEncodedString(prompt, "utf-8", "replace") : NULL;
	const char *bytes = text ? PyBytes_AS_STRING(text) : "";
	unsigned flags = is_password ? NOTE_PASSWORD : 0;

	if (PyErr_Occurred())
		return -1;
	if (!python_host_is_main_thread()) {
		PyErr_SetString(PyExc_OSError, "only the main thread can wait for input");
		return -1;
	}
	length = text ? PyBytes_GET_SIZE(text) : 0;
	prompt = NULL; /* of this ring only */
	flush_output();

	long answer = python_host_tell(NOTE_INPUT, flags, bytes, (size_t)length);
	if (answer < 0)
		return -1;
	ended = (answer & ORDER_EOF) || (answer & ~ORDER_EOF) != ORDER_INPUT;
	return (answer & ~ORDER_EOF) == ORDER_INPUT ? keep_typed() : 0;
}

/* What was given with the job. As FileIO.readinto(): a number of bytes, 0 at its end. */
static PyObject *read_given(PyObject *self, PyObject *into)
{
	AUTO_OBJECT *method = PyObject_GetAttrString((PyObject *)type_raw->tp_base, "readinto");

	return method ? PyObject_CallFunctionObjArgs(method, self, into, NULL) : NULL;
}

static PyObject *take_typed(PyObject *into)
{
	Py_buffer view;
	size_t length = typed_length - typed_done;

	if (PyObject_GetBuffer(into, &view, PyBUF_WRITABLE) < 0)
		return NULL;
	if (length > (size_t)view.len)
		length = (size_t)view.len;
	if (length)
		memcpy(view.buf, typed + typed_done, length);
	typed_done += length;
	PyBuffer_Release(&view);
	return PyLong_FromSize_t(length);
}

static PyObject *raw_readinto(PyObject *self, PyObject *into)
{
	if (!interactive || !given_is_read) {
		PyObject *count = read_given(self, into);

		if (!interactive || !count || count == Py_None || PyObject_IsTrue(count) != 0)
			return count;
		Py_DECREF(count);
		given_is_read = true;
	}
	while (typed_done == typed_length && !ended) {
		if (ask())
			return NULL;
	}
	return take_typed(into);
}

static PyObject *raw_readall(PyObject *self, PyObject *nothing)
{
	AUTO_OBJECT *whole = PyByteArray_FromStringAndSize(NULL, 0);
	AUTO_OBJECT *part = PyByteArray_FromStringAndSize(NULL, READ_ALL_BYTES);
	Py_ssize_t got = 1;

	(void)nothing;
	while (whole && part && got > 0) {
		AUTO_OBJECT *count = raw_readinto(self, part);

		got = count && count != Py_None ? PyLong_AsSsize_t(count) : 0;
		if (!count || got < 0)
			return NULL;
		Py_ssize_t length = PyByteArray_GET_SIZE(whole);
		if (PyByteArray_Resize(whole, length + got) < 0)
			return NULL;
		memcpy(PyByteArray_AS_STRING(whole) + length, PyByteArray_AS_STRING(part),
		       (size_t)got);
	}
	return whole && part ? PyBytes_FromStringAndSize(PyByteArray_AS_STRING(whole),
							 PyByteArray_GET_SIZE(whole))
			     : NULL;
}

static PyObject *raw_read(PyObject *self, PyObject *args)
{
	Py_ssize_t size = -1;

	if (!PyArg_ParseTuple(args, "|n:read", &size))
		return NULL;
	if (size < 0)
		return raw_readall(self, NULL);

	AUTO_OBJECT *into = PyByteArray_FromStringAndSize(NULL, size);
	AUTO_OBJECT *count = into ? raw_readinto(self, into) : NULL;
	if (!count || count == Py_None)
		return Py_XNewRef(count);
	return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(into), PyLong_AsSsize_t(count));
}

PyObject *python_input_new_raw(void)
{
	return PyObject_CallFunction((PyObject *)type_raw, "isO", STDIN_FILENO, "r", Py_False);
}

/* -- input() and getpass() ------------------------------------------------------------------ */

static bool is_asked_for(void)
{
	return interactive && python_host_is_here() && stream && PySys_GetObject("stdin") == stream;
}

/* As input() does without a terminal. */
static int print_prompt(PyObject *text, PyObject *to)
{
	AUTO_OBJECT *held = Py_NewRef(to);

	if (PyFile_WriteObject(text, held, Py_PRINT_RAW) < 0)
		return -1;

	AUTO_OBJECT *done = PyObject_CallMethod(held, "flush", NULL);
	return done ? 0 : -1;
}

/* A line without its end; EOFError where there is none. */
static PyObject *read_line(PyObject *text, PyObject *to, bool password)
{
	AUTO_OBJECT *source = Py_NewRef(stream);

	if (text && to && to != Py_None && print_prompt(text, to) < 0)
		return NULL;
	prompt = text;
	is_password = password;

	PyObject *line = PyFile_GetLine(source, -1);

	prompt = NULL;
	is_password = false;
	return line;
}

static PyObject *input_line(PyObject *self, PyObject *args)
{
	PyObject *said = NULL;

	(void)self;
	if (!is_asked_for())
		return PyObject_CallObject(real_input, args);
	if (!PyArg_UnpackTuple(args, "input", 0, 1, &said) ||
	    PySys_Audit("builtins.input", "O", said ? said : Py_None) < 0)
		return NULL;

	AUTO_OBJECT *text = said ? PyObject_Str(said) : NULL;
	if (said && !text)
		return NULL;

	PyObject *line = read_line(text, PySys_GetObject("stdout"), false);
	if (line && PySys_Audit("builtins.input/result", "O", line) < 0)
		Py_CLEAR(line);
	return line;
}

static PyObject *input_password(PyObject *self, PyObject *args, PyObject *keywords)
{
	static char *names[] = { "prompt", "stream", NULL };
	PyObject *said = NULL, *to = Py_None;

	(void)self;
	if (!is_asked_for())
		return PyObject_Call(real_getpass, args, keywords);
	if (!PyArg_ParseTupleAndKeywords(args, keywords, "|UO:getpass", names, &said, &to))
		return NULL;

	AUTO_OBJECT *text = said ? Py_NewRef(said) : PyUnicode_FromString("Password: ");
	if (!text)
		return NULL;
	return read_line(text, to == Py_None ? PySys_GetObject("stdout") : to, true);
}

/* -- preparing ------------------------------------------------------------------------------- */

static PyMethodDef raw_methods[] = {
	{ "readinto", raw_readinto, METH_O, NULL },
	{ "readall", raw_readall, METH_NOARGS, NULL },
	{ "read", raw_read, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyMethodDef input_method = { "input", input_line, METH_VARARGS, NULL };
static PyMethodDef getpass_method = { "getpass", PYTHON_WITH_KEYWORDS(input_password),
				      METH_VARARGS | METH_KEYWORDS,
				      "getpass(prompt='Password: ', stream=None)\n\n"
				      "Read a line that is not shown." };

static int make_type(void)
{
	static PyType_Slot slots[] = { { Py_tp_methods, raw_methods }, { 0, NULL } };
	AUTO_OBJECT *io = PyImport_ImportModule("_io");
	AUTO_OBJECT *base = io ? PyObject_GetAttrString(io, "FileIO") : NULL;
	AUTO_OBJECT *bases = base ? PyTuple_Pack(1, base) : NULL;
	PyType_Spec spec = { .name = "_io.FileIO",
			     .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
			     .slots = slots };

	if (!bases)
		return -1;
	spec.basicsize = (int)((PyTypeObject *)base)->tp_basicsize;
	type_raw = (PyTypeObject *)PyType_FromSpecWithBases(&spec, bases);
	return type_raw ? 0 : -1;
}

/* Keep what `module` has as the method's name, and put ours there. */
static int replace(const char *module, PyMethodDef *method, PyObject **ret_real)
{
	AUTO_OBJECT *owner = PyImport_ImportModule(module);
	AUTO_OBJECT *real = owner ? PyObject_GetAttrString(owner, method->ml_name) : NULL;

	if (real && !method->ml_doc && PyCFunction_Check(real))
		method->ml_doc = ((PyCFunctionObject *)real)->m_ml->ml_doc;

	AUTO_OBJECT *ours = real ? PyCFunction_NewEx(method, NULL, NULL) : NULL;
	if (!ours || PyObject_SetAttrString(owner, method->ml_name, ours) < 0)
		return -1;
	*ret_real = take_object(&real);
	return 0;
}

int python_input_prepare(void)
{
	if (make_type() < 0)
		return -1;
	return replace("builtins", &input_method, &real_input) < 0 ||
			       replace("getpass", &getpass_method, &real_getpass) < 0
		       ? -1
		       : 0;
}
