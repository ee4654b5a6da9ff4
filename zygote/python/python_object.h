/* python_object.h - Python.h, owned references, and what differs between versions. */
#ifndef VIVARIUM_PYTHON_OBJECT_H
#define VIVARIUM_PYTHON_OBJECT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

static inline void python_object_release(PyObject **object)
{
	Py_CLEAR(*object);
}

/* A local that owns a reference; NULL is fine. */
#define AUTO_OBJECT __attribute__((cleanup(python_object_release))) PyObject

/* The reference, which the local then no longer owns. */
static inline PyObject *take_object(PyObject **object)
{
	PyObject *taken = *object;

	*object = NULL;
	return taken;
}

#if PY_VERSION_HEX < 0x030a0000 /* Py_NewRef() and Py_XNewRef() came with 3.10 */
static inline PyObject *python_object_own(PyObject *object)
{
	Py_XINCREF(object);
	return object;
}
#define Py_NewRef(object) python_object_own((PyObject *)(object))
#define Py_XNewRef(object) python_object_own((PyObject *)(object))
#endif

/* The current error as an exception with its traceback attached, and no current
 * error any more. A new reference, or NULL if there was none. */
static inline PyObject *python_error_take(void)
{
#if PY_VERSION_HEX >= 0x030c0000
	return PyErr_GetRaisedException();
#else
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (!type)
		return NULL;
	PyErr_NormalizeException(&type, &value, &traceback);
	if (value && traceback)
		PyException_SetTraceback(value, traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	return value;
#endif
}

/* Make `exception` the current error. Steals the reference. */
static inline void python_error_restore(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030c0000
	PyErr_SetRaisedException(exception);
#else
	PyObject *type = (PyObject *)Py_TYPE(exception);

	Py_INCREF(type);
	PyErr_Restore(type, exception, PyException_GetTraceback(exception));
#endif
}

/* Does nobody but the caller run Python code? */
static inline bool python_is_single_thread(void)
{
	PyInterpreterState *interpreter = PyThreadState_GetInterpreter(PyThreadState_Get());
	PyThreadState *first = PyInterpreterState_ThreadHead(interpreter);

	return first && !PyThreadState_Next(first);
}

/* A module that is loaded already, borrowed; or NULL without an error. */
static inline PyObject *python_object_module(const char *name)
{
	return PyDict_GetItemString(PyImport_GetModuleDict(), name);
}

/* A function with keywords, as a PyMethodDef takes it. */
#define PYTHON_WITH_KEYWORDS(function) ((PyCFunction)(void (*)(void))(function))

/* An attribute, or NULL without an error where it is missing or fails. */
static inline PyObject *python_object_try(PyObject *object, const char *name)
{
	PyObject *value = PyObject_GetAttrString(object, name);

	if (!value)
		PyErr_Clear();
	return value;
}

#endif
