/* python_traceback.h - the text that python3 prints for an exception. */
#ifndef VIVARIUM_PYTHON_TRACEBACK_H
#define VIVARIUM_PYTHON_TRACEBACK_H

#include "zygote/python/python_object.h"

/* Zygote: load a copy of `traceback` that a program's patches do not reach. 0,
 * or -1 with an error. */
int python_traceback_prepare(void);

/* The whole text, a new reference; NULL only without memory. With ret_message,
 * *ret_message is the exception's own text (a new reference) or NULL. Runs the
 * program's code (__str__). No error is set. */
PyObject *python_traceback_format(PyObject *exception, PyObject **ret_message);

/* Drop the frames above the first one in `filename`, if there is one: those of
 * an event loop that ran the program. */
void python_traceback_strip(PyObject *exception, PyObject *filename);

/* The type as a traceback names it: "ValueError", "module.Name". A new
 * reference or NULL. No error is set. */
PyObject *python_traceback_type_name(PyObject *exception);

/* The line of `filename` where it happened: that of the innermost frame there,
 * or where the syntax is wrong. 0 if there is none. No error is set. */
long python_traceback_line(PyObject *exception, PyObject *filename);

/* Zygote, after python_traceback_prepare(): where CPython shows an exception that
 * nobody catches. Its own display looks for source lines in files only, so the hooks
 * of sys and threading are replaced by ones that print the same text with the lines
 * that linecache knows. 0, or -1 with an error. */
int python_traceback_install_hooks(void);

#endif
