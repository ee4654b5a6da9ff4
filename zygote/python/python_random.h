/* python_random.h - random numbers and temporary names, which differ between forks of the
 * zygote and go on where they were in a copy of a program. */
#ifndef VIVARIUM_PYTHON_RANDOM_H
#define VIVARIUM_PYTHON_RANDOM_H

#include <stdbool.h>

/* Zygote, after the preloads: find the generators that each fork seeds anew
 * (`random`, numpy's global one), and forget tempfile's of names. 0, or -1 with an
 * error. */
int python_random_prepare(void);

/* In a fork of the zygote: seed them. */
void python_random_renew(void);

/* Around a fork that copies a running program, whose hooks seed `random` unless they
 * rest: keep the generator's state; put it back in the copy, forget it in the original. */
void python_random_keep(bool hooks_rest);
void python_random_give_back(void);
void python_random_let_go(void);

#endif
