/* python_restrict.h - refusals in clear words.
 *
 * The playground's courtesy: the program's `__main__` gets builtins of its own in which open, eval, exec,
 * compile and a direct __import__() call raise PermissionError with a sentence
 * that says so. Library modules keep the real builtins. It is no wall: the
 * kernel is. The network's absence is told clearly to every program. */
#ifndef VIVARIUM_PYTHON_RESTRICT_H
#define VIVARIUM_PYTHON_RESTRICT_H

#include <stdbool.h>

#include "zygote/python/python_object.h"

/* Zygote. 0, or -1 with an error. */
int python_restrict_prepare(void);

/* A copy of `builtins` with the refusing functions; a new reference, or NULL
 * with an error. */
PyObject *python_restrict_builtins(PyObject *builtins);

/* Zygote: there is no network in a sandbox, but libc's resolver would say so
 * late and in words of its own ("Temporary failure in name resolution"). With
 * this audit hook socket.getaddrinfo and its kin raise PermissionError at once.
 * 0, or -1 with an error. */
int python_restrict_audit(void);

/* Has the program added an audit hook of its own? */
bool python_restrict_has_company(void);

#endif
