/* python_repr.h - what values look like: the beginning of repr(), without making the
 * rest, and what the program's names hold. */
#ifndef VIVARIUM_PYTHON_REPR_H
#define VIVARIUM_PYTHON_REPR_H

#include "common/bytes.h"
#include "zygote/python/python_object.h"

/* repr(object) or, where that is longer than `longest` characters, at least as
 * many of its first ones: the builtin containers and strings are not walked
 * further than that. Runs the program's code for its own classes. A new str, or
 * NULL with the error that repr() raises. */
PyObject *python_repr_bounded(PyObject *object, Py_ssize_t longest);

/* Zygote. 0, or -1 with an error. */
int python_repr_prepare(void);

/* What the program's names hold, for a variables view: put a FIELD_VARIABLE for each
 * name of __main__ that does not begin with an underscore, in the order in which they
 * were made, as long as the report has room: functions, classes and modules too, told
 * apart by their type. May run the program's __repr__ and __sizeof__. No error is set. */
void python_repr_list_variables(struct buffer *report);

enum { VARIABLES_MAX = 2000, VARIABLE_REPR_MAX = 200 /* characters */ };

#endif
