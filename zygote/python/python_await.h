/* python_await.h - `await` outside of functions. */
#ifndef VIVARIUM_PYTHON_AWAIT_H
#define VIVARIUM_PYTHON_AWAIT_H

#include "zygote/python/python_object.h"

/* Run a cell's coroutine to its end on the session's event loop, which is made
 * when it is first needed and stays, with the tasks that cells leave on it. The
 * coroutine's value (a new reference), or NULL with its error. A coroutine that
 * an interrupt stops half-way is cancelled. */
PyObject *python_await_run(PyObject *coroutine);

#endif
