/* python_embedded.h - what is written in Python, compiled into the program: a zygote
 * opens no files for it, and a program's patches do not reach it. */
#ifndef VIVARIUM_PYTHON_EMBEDDED_H
#define VIVARIUM_PYTHON_EMBEDDED_H

#include "zygote/python/python_object.h"

/* judge_data.py and judge.py; display.py: as the build makes arrays of them, which end in
 * a NUL. */
extern const char embedded_judge[], embedded_display[];

/* Zygote: run a source in a namespace of its own, with a copy of the builtins; `title`
 * is its __name__ and what tracebacks call it. The namespace, or NULL with an error. */
PyObject *python_embedded_load(const char *source, const char *title);

/* Call a function of it; `first` and `second` may be NULL. A new reference, or NULL
 * with an error, which has no traceback: the source is none of the program's. */
PyObject *python_embedded_call(PyObject *namespace, const char *function, PyObject *first,
			       PyObject *second);

#endif
