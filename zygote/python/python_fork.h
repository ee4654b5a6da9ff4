/* python_fork.h - which process we are. */
#ifndef VIVARIUM_PYTHON_FORK_H
#define VIVARIUM_PYTHON_FORK_H

#include <stdbool.h>

/* This process is the interpreter from now on. */
void python_fork_settle(void);

/* If the program has forked and this is its child: finish as python3 would and
 * exit. The child must not answer in its parent's name. */
void python_fork_end_stranger(int exit_code);

#endif
