/* python_source.h - the program's source lines, where tracebacks and inspect look.
 *
 * A job's source is no file, so that `linecache` is told its lines. Entries
 * without a modification time stay there: checkcache() leaves them alone. */
#ifndef VIVARIUM_PYTHON_SOURCE_H
#define VIVARIUM_PYTHON_SOURCE_H

#include <stdbool.h>

#include "zygote/python/python_object.h"

/* A dict like linecache.cache that is to know the sources. Zygote. */
int python_source_add_cache(PyObject *cache);

/* Does one of the first two lines look like a coding cookie (PEP 263)? */
bool python_source_has_cookie(const char *code, size_t length);

/* Give the lines of `code` to the caches under `filename`. The oldest sources
 * are forgotten beyond SOURCES_MAX or SOURCES_BYTES_MAX. Never fails: without
 * memory tracebacks lack the lines. No error is set. */
void python_source_remember(PyObject *filename, const char *code, size_t length);

/* Line number `line`, from 1, of a remembered source: a new reference, or NULL
 * without an error. */
PyObject *python_source_line(PyObject *filename, long line);

/* Take all of them away again. No error is set. */
void python_source_forget(void);

enum { SOURCES_MAX = 512, SOURCES_BYTES_MAX = 4 << 20 };

#endif
