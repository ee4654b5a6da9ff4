/* python_host.h - the process in which the program runs: which one it is, how its parts
 * reach the executor, its signals. */
#ifndef VIVARIUM_PYTHON_HOST_H
#define VIVARIUM_PYTHON_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* This process is the interpreter from now on. */
void python_host_settle(void);

/* Is it? A child that the program has made is not. */
bool python_host_is_settled(void);

/* The executor knows the main thread only. */
bool python_host_is_main_thread(void);

/* Put a text into the report area and send `note` (spawn.h) until it is answered,
 * without the GIL; signals of the program are handled meanwhile. The answer, or -1 with an
 * error: OSError if there is no executor, or what a signal handler raised. */
long python_host_tell(unsigned note, unsigned flags, const char *text, size_t length);

/* What came with the answer ORDER_INPUT. Good until the next call. */
const char *python_host_input(size_t *ret_length);

/* Is this process the interpreter, and attached? No child of the program is. */
bool python_host_is_here(void);

/* -- an interrupt reaches the cell that it was meant for ----------------------------------- */

/* Zygote. 0, or -1 with an error. */
int python_signals_prepare(void);

/* Before a session's job: forget an interrupt that came too late for the last
 * one, and make SIGINT raise KeyboardInterrupt again, whatever an earlier cell
 * did to it: a program's own handler lasts as long as its cell. `quiet`: nothing
 * of the program's has run since this was done last. No error is set. */
void python_signals_begin(bool quiet);

/* Has the program no handler of its own? */
bool python_signals_are_default(void);

#endif
