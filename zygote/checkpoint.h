/* checkpoint.h - a frozen copy of the interpreter to go back to. */
#ifndef VIVARIUM_CHECKPOINT_H
#define VIVARIUM_CHECKPOINT_H

enum checkpoint {
	CHECKPOINT_FAILED,
	CHECKPOINT_REFUSED, /* by the process limit */
	CHECKPOINT_MADE,
	CHECKPOINT_WOKEN,
};

/* Fork a copy (sibling.h) that waits to be woken. Returns at once in the
 * interpreter; in the copy, with CHECKPOINT_WOKEN, when it has been woken and
 * is the interpreter. */
enum checkpoint checkpoint_make(void);

#endif
