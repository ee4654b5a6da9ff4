/* fork_template.h - an interpreter that only makes forks of itself: each does one
 * judged case, and none may leave a trace for the next. */
#ifndef VIVARIUM_FORK_TEMPLATE_H
#define VIVARIUM_FORK_TEMPLATE_H

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
