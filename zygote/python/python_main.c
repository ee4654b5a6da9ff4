#include "zygote/python/python_main.h"

#include <string.h>

#include "zygote/python/python_restrict.h"

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
	PyObject *courteous = restricted ? python_restrict_builtins(real) : NULL;

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
