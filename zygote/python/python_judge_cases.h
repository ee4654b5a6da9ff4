/* python_judge_cases.h - judge.py, which knows inputs, expected values and the comparison:
 * asking it, and giving it all cases of a job. */
#ifndef VIVARIUM_PYTHON_JUDGE_CASES_H
#define VIVARIUM_PYTHON_JUDGE_CASES_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Zygote: load judge.py. 0, or -1 with an error. */
int python_judge_prepare(void);

/* Call a function of judge.py; `first` and `second` may be NULL. A new reference, or
 * NULL with an error, which has no traceback. */
PyObject *python_judge_ask(const char *function, PyObject *first, PyObject *second);

/* A field of the payload as a str. A new reference, or NULL with an error. */
PyObject *python_judge_text(const struct job *job, unsigned tag);

/* Give every CASE of the payload to `function` of judge.py and append what it
 * answers as CASE_RESULT. 0, or -1 with an error. */
int python_judge_cases(const struct job *job, const char *function, struct buffer *report);

#endif
