/* python_job.h - a job's source, compiled and run in __main__. */
#ifndef VIVARIUM_PYTHON_JOB_H
#define VIVARIUM_PYTHON_JOB_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Remember, compile and run a job's source in __main__. `*flags`: see
 * python_compile_program(). The value of the last expression (a new reference,
 * None without one), or NULL with an error. */
PyObject *python_job_evaluate(const struct job *job, PyObject *filename, int *flags);

/* `await` outside of functions: run a coroutine to its end on the session's event
 * loop, which is made when it is first needed and stays, with the tasks that cells
 * leave on it. The coroutine's value (a new reference), or NULL with its error. A
 * coroutine that an interrupt stops half-way is cancelled. */
PyObject *python_job_await(PyObject *coroutine);

#endif
