/* python_outcome.h - how a job ended: to stderr as python3 says it, and into the report. */
#ifndef VIVARIUM_PYTHON_OUTCOME_H
#define VIVARIUM_PYTHON_OUTCOME_H

#include "common/buffer.h"
#include "zygote/python/python_object.h"

/* Zygote. 0, or -1 with an error. */
int python_outcome_prepare(void);

/* The program came to its end; `value` is its last expression's or NULL. Its
 * repr runs the program's code, and its failure is the program's. Returns the
 * exit code. */
int python_outcome_ended(PyObject *value, PyObject *filename, struct buffer *report);

/* The program ended by the current error, which is cleared: an exception, or
 * SystemExit. `filename` is that of the job's source. Returns the exit code. */
int python_outcome_raised(PyObject *filename, struct buffer *report);

#endif
