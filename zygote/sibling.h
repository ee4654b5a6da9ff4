/* sibling.h - forks of the interpreter that are its siblings: children of the
 * init, not of the program, which would find them in os.wait(). */
#ifndef VIVARIUM_SIBLING_H
#define VIVARIUM_SIBLING_H

#include <sys/types.h>

/* Remember where libc keeps the thread id; in the zygote, once, before forks. */
void sibling_prepare(void);

/* Fork. 0 in the child, positive in the parent (not always the child's id), -1.
 * Python's own calls around a fork are the caller's. */
pid_t sibling_fork(void);

#endif
