/* python_finish.h - the end of a process, beside python_finish(), which python.h
 * declares; and which process we are.
 *
 * threading._shutdown() and logging.shutdown() run at every end of every
 * program, and as Python code they copy some seventy pages in a fork. In most
 * programs they have nothing to do, and that can be told from outside: a one-shot
 * print(1) takes 8 to 11 % less CPU time. */
#ifndef VIVARIUM_PYTHON_FINISH_H
#define VIVARIUM_PYTHON_FINISH_H

#include <stdbool.h>

/* Zygote: take over from atexit what modules registered there. 0, or -1 with an
 * error. */
int python_finish_prepare(void);

/* The part of python_finish() that changes nothing where no program has run yet: for
 * python_pages.h. No error is set. */
void python_finish_rehearse(void);

/* This process is the interpreter from now on. */
void python_finish_settle(void);

/* Is it? A child that the program has made is not. */
bool python_finish_is_settled(void);

/* If the program has forked and this is its child: finish as python3 would and
 * exit. The child must not answer in its parent's name. */
void python_finish_stranger(int exit_code);

#endif
