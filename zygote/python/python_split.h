/* python_split.h - where a program's last statement begins, from its text alone.
 *
 * To find the last expression, the source is parsed into trees of Python
 * objects, which costs more than compiling and running a small program. Most
 * programs end in a plain line, for which a look at the text is enough. */
#ifndef VIVARIUM_PYTHON_SPLIT_H
#define VIVARIUM_PYTHON_SPLIT_H

#include <stddef.h>

enum split {
	SPLIT_UNSURE,     /* it takes a parser to tell */
	SPLIT_STATEMENT,  /* the last statement is no expression, if the source is right */
	SPLIT_EXPRESSION, /* it may be one, and would begin at *ret_at */
};

/* What is said is true if the source compiles as a whole; and if code[0..at) and
 * code[at..length) compile each for itself, they are together the source: `at`
 * begins a logical line without indentation. No NUL may be in the source. */
enum split python_split_last(const char *code, size_t length, size_t *ret_at);

#endif
