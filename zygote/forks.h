/* forks.h - copies of the interpreter: a frozen one to go back to, and, of one that only makes
 * forks of itself (fork template), one for each judged case. All are the interpreter's
 * siblings: children of init, not of the program, which would find them in os.wait(). */
#ifndef VIVARIUM_FORKS_H
#define VIVARIUM_FORKS_H

#include <sys/types.h>

/* Remember where libc keeps the thread id; in the zygote, once, before forks. */
void sibling_prepare(void);

/* Fork. 0 in the child, positive in the parent (not always the child's id), -1.
 * Python's own calls around a fork are the caller's. */
pid_t sibling_fork(void);

enum checkpoint {
	CHECKPOINT_FAILED,
	CHECKPOINT_REFUSED, /* by the process limit */
	CHECKPOINT_MADE,
	CHECKPOINT_WOKEN,
};

/* Fork a copy that waits to be woken. Returns at once in the
 * interpreter; in the copy, with CHECKPOINT_WOKEN, when it has been woken and
 * is the interpreter. */
enum checkpoint checkpoint_make(void);

enum original {
	ORIGINAL_FORKED, /* and goes on waiting */
	ORIGINAL_IS_FORK, /* this is the fork, the interpreter from now on */
	ORIGINAL_FAILED,
	ORIGINAL_SHARES, /* nothing was forked: forks would share what the program has
			  * open or mapped, so a case could leave notes there */
};

/* `mailbox` is the one mapping that may be shared. From the first call on the
 * original is hidden from its forks: they can neither read nor write its memory,
 * nor send it a signal that it would take. */
enum original original_fork(const void *mailbox);

#endif
