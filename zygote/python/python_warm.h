/* python_warm.h - small programs run ahead, so that the first real one is quick. */
#ifndef VIVARIUM_PYTHON_WARM_H
#define VIVARIUM_PYTHON_WARM_H

/* Zygote, before gc.freeze(): make what CPython makes on first use, and let it
 * specialise the library's code for tracebacks: each fork would write to that
 * code to count, and so copy it. */
void python_warm_zygote(void);

/* Interpreter, after the fork and before its job: copy the pages that every
 * program writes to, while nobody waits yet.
 *
 * Both print nothing and leave no module, name or source behind. No error is
 * set. */
void python_warm_fork(void);

#endif
