/* python_job.h - what scripts and cells have in common. */
#ifndef VIVARIUM_PYTHON_JOB_H
#define VIVARIUM_PYTHON_JOB_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Remember, compile and run a job's source in __main__. `*flags`: see
 * python_compile_program(). The value of the last expression (a new reference,
 * None without one), or NULL with an error. */
PyObject *python_job_evaluate(const struct job *job, PyObject *filename, int *flags);

#endif
