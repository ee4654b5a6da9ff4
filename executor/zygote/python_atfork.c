#include "python_atfork.h"

#include "python_object.h"

static PyObject *real_function; /* os.register_at_fork */
static PyObject *recorded;      /* list of the keywords of each call */

static PyObject *record(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self;
	if (PyTuple_GET_SIZE(args) || !keywords) /* let the real one complain */
		return PyObject_Call(real_function, args, keywords);
	if (PyList_Append(recorded, keywords) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyMethodDef recorder = { "register_at_fork", (PyCFunction)(void (*)(void))record,
				METH_VARARGS | METH_KEYWORDS, NULL };

/* Modules reach it through either name. */
static int put_function(PyObject *function)
{
	AUTO_OBJECT *os = PyImport_ImportModule("os");
	AUTO_OBJECT *posix = PyImport_ImportModule("posix");

	if (!os || !posix || PyObject_SetAttrString(os, "register_at_fork", function) < 0)
		return -1;
	return PyObject_SetAttrString(posix, "register_at_fork", function);
}

int python_atfork_record(void)
{
	AUTO_OBJECT *posix = PyImport_ImportModule("posix");
	AUTO_OBJECT *function = PyCFunction_New(&recorder, NULL);

	real_function = posix ? PyObject_GetAttrString(posix, "register_at_fork") : NULL;
	recorded = PyList_New(0);
	return real_function && function && recorded ? put_function(function) : -1;
}

int python_atfork_stop(void)
{
	return put_function(real_function);
}

void python_atfork_replay(void)
{
	AUTO_OBJECT *calls = recorded;
	AUTO_OBJECT *nothing = PyTuple_New(0);

	recorded = NULL;
	for (Py_ssize_t i = 0; calls && nothing && i < PyList_GET_SIZE(calls); i++) {
		AUTO_OBJECT *done = PyObject_Call(real_function, nothing, PyList_GET_ITEM(calls, i));

		PyErr_Clear();
	}
}
