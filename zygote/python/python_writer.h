/* python_writer.h - the stream objects for output: io.TextIOWrapper over
 * io.BufferedWriter, but what is written goes on at once to python_text.h.
 *
 * They are subclasses of CPython's own, under the same names, and do nothing else
 * otherwise: what a program can do to sys.stdout it can do to these. Text that needs more
 * than a copy (another encoding or error handler, surrogates) takes CPython's way, through
 * the binary layer. */
#ifndef VIVARIUM_PYTHON_WRITER_H
#define VIVARIUM_PYTHON_WRITER_H

#include <stdbool.h>

#include "zygote/python/python_object.h"

/* Zygote. 0, or -1 with an error. */
int python_writer_prepare(void);

/* A text stream to `fd`, 1 or 2, over `raw`, an io.FileIO of it. A new reference, or NULL
 * with an error. */
PyObject *python_writer_new(int fd, PyObject *raw, const char *errors, bool line_buffering);

#endif
