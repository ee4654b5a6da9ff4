/* python_source.h - source text: what is compiled of it, its lines where tracebacks and
 * inspect look, and the Python that is part of this program. */
#ifndef VIVARIUM_PYTHON_SOURCE_H
#define VIVARIUM_PYTHON_SOURCE_H

#include <stdbool.h>

#include "zygote/python/python_object.h"

/* -- python_compile.c: source bytes to code, with the last expression apart ------------------ */

/* Zygote: take the compiler's entrances, before a program can patch them. */
int python_compile_prepare(void);

/* A program in two parts. Either may be NULL: there is nothing to run, or the
 * last statement is no expression. */
struct program {
	PyObject *body; /* runs for its effects */
	PyObject *last; /* evaluates to the result */
};

/* Compile as CPython does with a file: byte order mark, coding cookie and line
 * ends are its business. `*flags` are PyCF_* flags; those of the __future__
 * statements found are added, so that a session's cells share them. 0, or -1
 * with an error (SyntaxError as a rule) and *ret_program empty. */
int python_compile_program(const char *code, size_t length, PyObject *filename, int *flags,
			   struct program *ret_program);

/* For __attribute__((cleanup)). */
void python_compile_release(struct program *program);
#define AUTO_PROGRAM __attribute__((cleanup(python_compile_release))) struct program

/* -- source lines ------------------------------------------------------------------------------
 *
 * A job's source is no file, so that `linecache` is told its lines. Entries
 * without a modification time stay there: checkcache() leaves them alone. */

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

/* -- what is written in Python -------------------------------------------------------------------
 *
 * Compiled into the program: a zygote opens no files for it, and a program's patches do not
 * reach it. */

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
