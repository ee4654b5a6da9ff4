#include "python_main.h"

#include "python_restrict.h"

static PyObject *pristine;      /* dict: an empty __main__, as CPython makes it */
static PyObject *text_main, *text_annotations, *text_builtins;
static PyObject *module, *builtins; /* the program's */

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

/* The dict in which plain names are looked up after the globals. */
static PyObject *make_builtins(PyObject *globals, bool restricted)
{
	PyObject *real = PyEval_GetBuiltins();

	if (!restricted)
		return Py_XNewRef(real);

	AUTO_OBJECT *courteous = python_restrict_builtins(real);
	if (!courteous || PyDict_SetItem(globals, text_builtins, courteous) < 0)
		return NULL;
	return Py_NewRef(courteous);
}

int python_main_create(bool restricted)
{
	AUTO_OBJECT *made = PyModule_NewObject(text_main);
	if (!made)
		return -1;

	PyObject *globals = PyModule_GetDict(made);
	if (fill_globals(globals) < 0)
		return -1;

	AUTO_OBJECT *names = make_builtins(globals, restricted);
	if (!names || PyDict_SetItem(PyImport_GetModuleDict(), text_main, made) < 0)
		return -1;
	Py_XSETREF(module, Py_NewRef(made));
	Py_XSETREF(builtins, Py_NewRef(names));
	return 0;
}

PyObject *python_main_globals(void)
{
	return module ? PyModule_GetDict(module) : NULL;
}

void python_main_keep_result(PyObject *value)
{
	if (builtins && PyDict_SetItemString(builtins, "_", value) < 0)
		PyErr_Clear();
}

bool python_main_drop(void)
{
	if (!module)
		return false;

	PyObject *modules = PyImport_GetModuleDict();
	bool used = PyDict_GET_SIZE(PyModule_GetDict(module)) > PyDict_GET_SIZE(pristine);

	if (PyDict_GetItemString(modules, "__main__") == module &&
	    PyDict_DelItem(modules, text_main) < 0)
		PyErr_Clear();
	Py_CLEAR(module);
	Py_CLEAR(builtins);
	return used;
}
