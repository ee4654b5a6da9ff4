/* python_judge_parts.h - what python_judge*.c share among themselves. */
#ifndef VIVARIUM_PYTHON_JUDGE_PARTS_H
#define VIVARIUM_PYTHON_JUDGE_PARTS_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Call a function of judge.py; `second` may be NULL. A new reference, or NULL with
 * an error, which has no traceback: judge.py is none of the program's. */
PyObject *python_judge_ask(const char *function, PyObject *first, PyObject *second);

/* A field of the payload as a str. A new reference, or NULL with an error. */
PyObject *python_judge_text(const struct job *job, unsigned tag);

/* The jobs: 0, or -1 with an error that tells how the job ended. */
int python_judge_call(const struct job *job, struct buffer *report);
int python_judge_expect(const struct job *job, struct buffer *report);

/* Give every CASE of the payload to `function` of judge.py and append what it
 * answers as CASE_RESULT. 0, or -1 with an error. */
int python_judge_cases(const struct job *job, const char *function, struct buffer *report);

#endif
