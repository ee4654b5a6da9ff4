/* python_random.h - random numbers, names and places that differ between forks. */
#ifndef VIVARIUM_PYTHON_RANDOM_H
#define VIVARIUM_PYTHON_RANDOM_H

#include <stdbool.h>

/* Zygote, after the preloads; forgets tempfile's generator of names. 0, or -1
 * with an error. */
int python_random_prepare(void);

/* Interpreter, after the fork: seed `random` and numpy's global generator anew,
 * where they are loaded. No error is set. */
void python_random_renew(void);

/* Around a fork that copies a running program, whose after-fork hooks seed
 * `random`: keep its state and put it back. Nothing to do where the hooks rest
 * that the zygote's own import of it has registered, unless the program has loaded
 * it anew: that registers one more. No error is set. */
void python_random_keep(bool hooks_rest);
void python_random_give_back(void);
void python_random_let_go(void);

#endif
