#include "zygote/python/python_restrict.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "zygote/python/python_object.h"

static bool is_restricted;      /* once it is, it stays so */
static PyObject *real_import;   /* builtins.__import__ */
static long opcode_import = -1; /* IMPORT_NAME: the `import` statement */
static long opcode_extended = -1;

static PyObject *refuse(const char *name)
{
	return PyErr_Format(PyExc_PermissionError, "%s() is not available in this playground",
			    name);
}

static PyObject *refuse_open(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self, (void)args, (void)keywords;
	return refuse("open");
}

static PyObject *refuse_eval(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self, (void)args, (void)keywords;
	return refuse("eval");
}

static PyObject *refuse_exec(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self, (void)args, (void)keywords;
	return refuse("exec");
}

static PyObject *refuse_compile(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self, (void)args, (void)keywords;
	return refuse("compile");
}

/* The instruction that `frame` is at, or -1 without an error. */
static long current_opcode(PyFrameObject *frame)
{
	PyCodeObject *code = PyFrame_GetCode(frame);
	AUTO_OBJECT *bytes = PyObject_GetAttrString((PyObject *)code, "co_code");
	AUTO_OBJECT *last = PyObject_GetAttrString((PyObject *)frame, "f_lasti");
	long at = last ? PyLong_AsLong(last) : -1;
	long opcode = -1;

	/* some versions count the prefix of a large operand as the instruction */
	for (; bytes && PyBytes_Check(bytes) && at >= 0 && at < PyBytes_GET_SIZE(bytes); at += 2) {
		opcode = (unsigned char)PyBytes_AS_STRING(bytes)[at];
		if (opcode != opcode_extended)
			break;
	}
	Py_DECREF(code);
	PyErr_Clear();
	return opcode;
}

/* C functions (time.strptime, pickle, ...) import through PyImport_Import(),
 * which calls whatever __import__ the running frame has, always like this:
 * (name, globals, globals, [], 0). */
static bool is_import_from_c(PyObject *args)
{
	return PyTuple_GET_SIZE(args) == 5 &&
	       PyTuple_GET_ITEM(args, 1) == PyTuple_GET_ITEM(args, 2) &&
	       PyList_CheckExact(PyTuple_GET_ITEM(args, 3)) &&
	       PyList_GET_SIZE(PyTuple_GET_ITEM(args, 3)) == 0;
}

static PyObject *careful_import(PyObject *self, PyObject *args, PyObject *keywords)
{
	PyFrameObject *frame = PyEval_GetFrame();

	(void)self;
	if (keywords || !frame ||
	    (current_opcode(frame) != opcode_import && !is_import_from_c(args)))
		return refuse("__import__");
	return PyObject_CallObject(real_import, args);
}

#define WITH_KEYWORDS(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef replacements[] = {
	{ "open", WITH_KEYWORDS(refuse_open), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "eval", WITH_KEYWORDS(refuse_eval), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "exec", WITH_KEYWORDS(refuse_exec), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "compile", WITH_KEYWORDS(refuse_compile), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "__import__", WITH_KEYWORDS(careful_import), METH_VARARGS | METH_KEYWORDS, NULL },
};

/* The number of an instruction, or -1 with an error. */
static long opcode_of(const char *name)
{
	AUTO_OBJECT *opcodes = PyImport_ImportModule("opcode");
	AUTO_OBJECT *map = opcodes ? PyObject_GetAttrString(opcodes, "opmap") : NULL;
	AUTO_OBJECT *number = map ? PyMapping_GetItemString(map, name) : NULL;

	return number ? PyLong_AsLong(number) : -1;
}

int python_restrict_prepare(void)
{
	opcode_import = opcode_of("IMPORT_NAME");
	opcode_extended = opcode_of("EXTENDED_ARG");
	real_import = Py_XNewRef(PyDict_GetItemString(PyEval_GetBuiltins(), "__import__"));
	return real_import && opcode_import >= 0 && opcode_extended >= 0 ? 0 : -1;
}

PyObject *python_restrict_builtins(PyObject *builtins)
{
	AUTO_OBJECT *copy = PyDict_Copy(builtins);

	is_restricted = true;
	for (size_t i = 0; copy && i < sizeof replacements / sizeof replacements[0]; i++) {
		AUTO_OBJECT *function = PyCFunction_New(&replacements[i], NULL);

		if (!function || PyDict_SetItemString(copy, replacements[i].ml_name, function) < 0)
			return NULL;
	}
	return Py_XNewRef(copy);
}

static const char *const refused[] = {
	"getaddrinfo",
	"gethostbyname", /* also what gethostbyname_ex() announces */
	"gethostbyaddr",
	"getnameinfo",
};

static bool has_company;

static int refuse_event(void)
{
	errno = EACCES;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

/* Called for every event there is, imports and attribute look-ups among them. */
static int check_event(const char *event, PyObject *args, void *data)
{
	static const char family[] = "socket.g";

	(void)args, (void)data;
	if (strcmp(event, "sys.addaudithook") == 0)
		has_company = true;
	/* The filter answers the fork with EACCES, which system() only returns as a status. */
	if (is_restricted && strcmp(event, "os.system") == 0)
		return refuse_event();
	if (event[0] != 's' || strncmp(event, family, strlen(family)) != 0)
		return 0;
	event += strlen("socket.");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (strcmp(event, refused[i]) == 0)
			return refuse_event();
	}
	return 0;
}

int python_restrict_audit(void)
{
	return PySys_AddAuditHook(check_event, NULL);
}

bool python_restrict_has_company(void)
{
	return has_company;
}
