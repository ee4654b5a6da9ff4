/* python_input.h - standard input of an interactive job: what the program reads is asked
 * for while it waits.
 *
 * input(), sys.stdin.readline(), iteration and read() take first what the job was given as
 * standard input, then ring with NOTE_INPUT until somebody answers. The prompt of input()
 * and getpass.getpass() goes with the ring; it is written to standard output as well, where
 * python3 writes it without a terminal. The end of file lasts for the rest of the job.
 * Only the main thread can wait. */
#ifndef VIVARIUM_PYTHON_INPUT_H
#define VIVARIUM_PYTHON_INPUT_H

#include <stdbool.h>

#include "zygote/python/python_object.h"

/* Zygote: put input() and getpass() into their modules. 0, or -1 with an error. */
int python_input_prepare(void);

/* Before a job. */
void python_input_begin(bool interactive);
bool python_input_is_interactive(void);

/* An io.FileIO of descriptor 0 that asks. A new reference, or NULL with an error. */
PyObject *python_input_new_raw(void);

/* sys.stdin over it: input() is its own only while that is sys.stdin. */
void python_input_set_stream(PyObject *stream);

#endif
