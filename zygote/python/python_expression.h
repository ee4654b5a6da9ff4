/* python_expression.h - can a text only be an expression that calls nothing?
 *
 * From the text alone, as python_split.h does it: trees of Python objects would
 * cost more than running such a cell. */
#ifndef VIVARIUM_PYTHON_EXPRESSION_H
#define VIVARIUM_PYTHON_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

enum { EXPRESSION_LENGTH_MAX = 1024, EXPRESSION_DEPTH_MAX = 31 };

/* True only if code[0..length), should it compile, is one line with one expression
 * made of numbers, plain strings, None, True, False, names, displays, subscripts
 * of names, and operators: no call, attribute, comprehension, lambda, assignment
 * or await, nothing for which the compiler imports a module or gives a warning.
 * Names that begin with an underscore do not count as names. Each name is shown
 * to `is_fine`, which has the last word on it. */
bool python_expression_is_simple(const char *code, size_t length,
				 bool (*is_fine)(const char *name, void *context), void *context);

#endif
