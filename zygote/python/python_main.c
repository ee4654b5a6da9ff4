#include "zygote/python/python_main.h"

#include <errno.h>
#include <string.h>

/* -- refusals in clear words ------------------------------------------------------------------- */

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

static PyMethodDef replacements[] = {
	{ "open", PYTHON_WITH_KEYWORDS(refuse_open), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "eval", PYTHON_WITH_KEYWORDS(refuse_eval), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "exec", PYTHON_WITH_KEYWORDS(refuse_exec), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "compile", PYTHON_WITH_KEYWORDS(refuse_compile), METH_VARARGS | METH_KEYWORDS, NULL },
	{ "__import__", PYTHON_WITH_KEYWORDS(careful_import), METH_VARARGS | METH_KEYWORDS, NULL },
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

/* A copy with the refusing functions; a new reference, or NULL with an error. */
static PyObject *restrict_builtins(PyObject *real)
{
	AUTO_OBJECT *copy = PyDict_Copy(real);

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

/* -- the module --------------------------------------------------------------------------------- */

static PyObject *pristine; /* dict: an empty __main__, as CPython makes it */
static PyObject *text_main, *text_annotations, *text_builtins;
static PyObject *module;         /* the program's */
static PyObject *builtins;       /* the dict in which its plain names are looked up last */
static PyObject *visible;        /* what it sees as __builtins__ */
static Py_ssize_t modules_first; /* how many are loaded when it begins */

int python_main_prepare(void)
{
	text_main = PyUnicode_InternFromString("__main__");
	text_annotations = PyUnicode_InternFromString("__annotations__");
	text_builtins = PyUnicode_InternFromString("__builtins__");
	if (!text_main || !text_annotations || !text_builtins)
		return -1;

	PyObject *first = PyImport_AddModule("__main__");

	pristine = first ? PyDict_Copy(PyModule_GetDict(first)) : NULL;
	return pristine ? 0 : -1;
}

static int fill_globals(PyObject *globals)
{
	if (PyDict_Update(globals, pristine) < 0)
		return -1;
	if (!PyDict_Contains(pristine, text_annotations))
		return 0;

	AUTO_OBJECT *annotations = PyDict_New();
	return annotations ? PyDict_SetItem(globals, text_annotations, annotations) : -1;
}

static int choose_builtins(bool restricted)
{
	PyObject *real = PyEval_GetBuiltins();
	PyObject *courteous = restricted ? restrict_builtins(real) : NULL;

	if (restricted && !courteous)
		return -1;
	Py_XSETREF(builtins, courteous ? courteous : Py_NewRef(real));
	Py_XSETREF(visible, courteous ? Py_NewRef(courteous)
				      : Py_XNewRef(PyDict_GetItem(pristine, text_builtins)));
	return 0;
}

int python_main_create(bool restricted)
{
	AUTO_OBJECT *made = PyModule_NewObject(text_main);
	if (!made)
		return -1;

	PyObject *globals = PyModule_GetDict(made);
	if (fill_globals(globals) < 0 || choose_builtins(restricted) < 0 ||
	    PyDict_SetItem(globals, text_builtins, visible) < 0 ||
	    PyDict_SetItem(PyImport_GetModuleDict(), text_main, made) < 0)
		return -1;
	Py_XSETREF(module, Py_NewRef(made));
	modules_first = PyDict_GET_SIZE(PyImport_GetModuleDict());
	return 0;
}

int python_main_rename(const char *name)
{
	AUTO_OBJECT *text = PyUnicode_InternFromString(name);

	if (!text || PyDict_SetItemString(python_main_globals(), "__name__", text) < 0)
		return -1;
	return PyDict_SetItem(PyImport_GetModuleDict(), text, module);
}

int python_main_mend(void)
{
	PyObject *globals = python_main_globals();

	if (!globals || PyDict_Contains(globals, text_builtins))
		return 0;
	return PyDict_SetItem(globals, text_builtins, visible);
}

PyObject *python_main_globals(void)
{
	return module ? PyModule_GetDict(module) : NULL;
}

PyObject *python_main_builtins(void)
{
	return builtins;
}

void python_main_keep_result(PyObject *value)
{
	if (builtins && PyDict_SetItemString(builtins, "_", value) < 0)
		PyErr_Clear();
}

static bool is_of_workspace(PyObject *candidate)
{
	static const char prefix[] = PYTHON_WORKSPACE "/";

	if (!PyModule_Check(candidate))
		return false;

	AUTO_OBJECT *file = PyModule_GetFilenameObject(candidate);
	const char *path = file ? PyUnicode_AsUTF8(file) : NULL;

	PyErr_Clear();
	return path && strncmp(path, prefix, strlen(prefix)) == 0;
}

/* The program's own modules hold objects of its as well. The library's stay:
 * python3 takes them down too, but nobody sees that, and it takes its time. */
static bool drop_workspace_modules(PyObject *modules)
{
	AUTO_OBJECT *copy = PyDict_Copy(modules);
	PyObject *name, *candidate;
	Py_ssize_t at = 0;
	bool dropped = false;

	while (copy && PyDict_Next(copy, &at, &name, &candidate)) {
		if (is_of_workspace(candidate) && PyDict_DelItem(modules, name) == 0)
			dropped = true;
	}
	PyErr_Clear();
	return dropped;
}

bool python_main_drop(void)
{
	if (!module)
		return false;

	PyObject *modules = PyImport_GetModuleDict();
	bool used = PyDict_GET_SIZE(PyModule_GetDict(module)) > PyDict_GET_SIZE(pristine);

	if (PyDict_GET_SIZE(modules) > modules_first && drop_workspace_modules(modules))
		used = true;

	if (PyDict_GetItemString(modules, "__main__") == module &&
	    PyDict_DelItem(modules, text_main) < 0)
		PyErr_Clear();
	Py_CLEAR(module);
	Py_CLEAR(builtins);
	Py_CLEAR(visible);
	return used;
}
