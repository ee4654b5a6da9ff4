/* python_display.h - display(object), and what is shown without a call.
 *
 * The builtin display() makes the object's representations (display.py) and rings with
 * NOTE_DISPLAY. So does the end of a cell or script for its last value, if that has more
 * than a repr(), and for the figures that matplotlib has open, which are closed; its
 * show() does the same at once. */
#ifndef VIVARIUM_PYTHON_DISPLAY_H
#define VIVARIUM_PYTHON_DISPLAY_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Of one job. More is an error in the program. */
enum { DISPLAYS_MAX = 64, DISPLAY_BYTES_MAX = 8 << 20 };

/* Zygote, after the preloads. 0, or -1 with an error. */
int python_display_prepare(void);

/* Before a job. */
void python_display_begin(void);

/* The last value, whose repr is `text`. Runs the program's code; what fails is said on
 * stderr. No error is set. */
void python_display_result(PyObject *value, PyObject *text);

/* After a cell or a script: open figures, and what threads have shown meanwhile. As
 * python_display_result(). */
void python_display_end(void);

#endif
