/* python_compile.h - source bytes to code, with the last expression apart. */
#ifndef VIVARIUM_PYTHON_COMPILE_H
#define VIVARIUM_PYTHON_COMPILE_H

#include "zygote/python/python_object.h"

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

#endif
