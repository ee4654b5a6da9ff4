/* python_pure.h - cells that change nothing but `_`.
 *
 * Such a cell needs no checkpoint, which takes longer than most cells do. What is
 * said of a cell errs on one side only: a cell that is called pure has run no code
 * but its own, and no object that outlives it is another, but for the value of
 * `_`, a new sys.stdin and the source that tracebacks show. */
#ifndef VIVARIUM_PYTHON_PURE_H
#define VIVARIUM_PYTHON_PURE_H

#include <stdbool.h>

#include "python.h"

/* Zygote, last of the preparations. 0, or -1 with an error. */
int python_pure_prepare(void);

/* Before anything else that a cell's job does: will it be pure, if it comes to its
 * normal end? Then the collector rests until python_pure_end(), for it runs the
 * finalizers of what earlier cells have left behind. No error is set. */
bool python_pure_begin(const struct job *job);

/* After all else that the job does: did no collection come in between? */
bool python_pure_end(void);

#endif
