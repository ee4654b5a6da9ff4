/* checkpoint.h - a frozen copy of the interpreter to go back to. */
#ifndef VIVARIUM_CHECKPOINT_H
#define VIVARIUM_CHECKPOINT_H

/* Remember where libc keeps the thread id; in the zygote, once, before forks. */
void checkpoint_prepare(void);

enum checkpoint { CHECKPOINT_FAILED, CHECKPOINT_MADE, CHECKPOINT_WOKEN };

/* Fork a copy that is a child of the warden, not of the program (which would
 * find it in os.wait()), and that waits to be woken. Returns at once in the
 * interpreter; in the copy, with CHECKPOINT_WOKEN, when it has been woken and
 * is the interpreter. */
enum checkpoint checkpoint_make(void);

#endif
