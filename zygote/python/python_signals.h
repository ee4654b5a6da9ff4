/* python_signals.h - an interrupt reaches the cell that it was meant for. */
#ifndef VIVARIUM_PYTHON_SIGNALS_H
#define VIVARIUM_PYTHON_SIGNALS_H

#include <stdbool.h>

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
