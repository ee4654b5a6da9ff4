/* python_restrict.h - the playground's courtesy: clear refusals for beginners.
 *
 * The program's `__main__` gets builtins of its own in which open, eval, exec,
 * compile and a direct __import__() call raise PermissionError with a sentence
 * that says so. Library modules keep the real builtins. It is no wall: the
 * kernel is. */
#ifndef VIVARIUM_PYTHON_RESTRICT_H
#define VIVARIUM_PYTHON_RESTRICT_H

#include "zygote/python/python_object.h"

/* Zygote. 0, or -1 with an error. */
int python_restrict_prepare(void);

/* A copy of `builtins` with the refusing functions; a new reference, or NULL
 * with an error. */
PyObject *python_restrict_builtins(PyObject *builtins);

#endif
