/* python_stdio.h - sys.stdin, sys.stdout and sys.stderr over descriptors 0 to 2. */
#ifndef VIVARIUM_PYTHON_STDIO_H
#define VIVARIUM_PYTHON_STDIO_H

#include <stdbool.h>

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Zygote: make the stream objects in the place of CPython's. 0, or -1 with an error. */
int python_stdio_prepare(void);

/* Before a job. A cell or a call starts with an unread stdin and with a stdout and stderr
 * that work, except where the program has put a live object of its own. `quiet`:
 * since python_stdio_is_untouched() was true, nothing of the program's has run.
 * No error is set. */
void python_stdio_begin(const struct job *job, bool quiet);

/* Flush as python3 does at its end: what fails is said on stderr. False if
 * output was lost. No error is set. */
bool python_stdio_flush(void);

/* Flush stdout before something is said on stderr. Nothing is said of a
 * failure, no error is set. */
void python_stdio_push(void);

/* After a cell: flush, C's streams too, and give up a stream that keeps what it cannot write, so
 * that it does not turn up in a later cell's output. */
void python_stdio_end(void);

/* Are the three streams ours, and has the program put nothing of its own into them
 * that beginning or ending a cell would call? */
bool python_stdio_is_untouched(void);

/* Write a str to sys.stderr; if that is gone or fails, to descriptor 2. No error
 * is set. */
void python_stdio_say(PyObject *text);

#endif
