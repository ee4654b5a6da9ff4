/* python_repr.h - the beginning of repr(), without making the rest. */
#ifndef VIVARIUM_PYTHON_REPR_H
#define VIVARIUM_PYTHON_REPR_H

#include "zygote/python/python_object.h"

/* repr(object) or, where that is longer than `longest` characters, at least as
 * many of its first ones: the builtin containers and strings are not walked
 * further than that. Runs the program's code for its own classes. A new str, or
 * NULL with the error that repr() raises. */
PyObject *python_repr_bounded(PyObject *object, Py_ssize_t longest);

#endif
