/* python_pure.h - cells that change nothing but `_`.
 *
 * They take a tenth of the CPU time of cells with a checkpoint: warm `1+1` at 8 clients
 * 0.17 ms instead of 1.68 ms on a busy machine, executor and sandbox together.
 *
 * Such a cell needs no checkpoint, which takes longer than most cells do. What is
 * said of a cell errs on one side only: a cell that is called pure has run no code
 * but its own, and no object that outlives it is another, but for the value of
 * `_`, a new sys.stdin and the source that tracebacks show. */
#ifndef VIVARIUM_PYTHON_PURE_H
#define VIVARIUM_PYTHON_PURE_H

#include <stdbool.h>

#include "zygote/python/python.h"

/* Zygote, last of the preparations. 0, or -1 with an error. */
int python_pure_prepare(void);

/* Before anything else that a job does: will it be pure, if it is a cell and comes
 * to its normal end? Then the collector rests until python_pure_end(), for it runs
 * the finalizers of what earlier cells have left behind. No error is set. */
void python_pure_begin(const struct job *job);

/* Since then and until the job's own code runs: is all as a pure cell has left it?
 * Nothing of the program's has run since that one began (there has never been a
 * second thread), so
 * what was looked at then need not be looked at again. In cold caches looking
 * takes longer than the cell. */
bool python_pure_is_quiet(void);

/* Will it be a pure cell if it does not raise? */
bool python_pure_is_expected(void);

/* If it has not raised: has nothing been written to sys.stdout and sys.stderr, by
 * this cell or since they were flushed after the last one? */
bool python_pure_is_silent(void);

/* After all else that the job does: was it a pure cell? */
bool python_pure_end(int exit_code);

/* Something of the program's may run between two jobs. */
void python_pure_disturb(void);

enum { EXPRESSION_LENGTH_MAX = 1024, EXPRESSION_DEPTH_MAX = 31 };

/* Can a text only be an expression that calls nothing? From the text alone, as
 * python_compile.c does it: trees of Python objects would cost more than running such a
 * cell.
 * True only if code[0..length), should it compile, is one line with one expression
 * made of numbers, plain strings, None, True, False, names, displays, subscripts
 * of names, and operators: no call, attribute, comprehension, lambda, assignment
 * or await, nothing for which the compiler imports a module or gives a warning.
 * Names that begin with an underscore do not count as names. Each name is shown
 * to `is_fine`, which has the last word on it. */
bool python_expression_is_simple(const char *code, size_t length,
				 bool (*is_fine)(const char *name, void *context), void *context);

#endif
