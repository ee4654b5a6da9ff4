/* python_finish.h - what belongs to python_finish(), which python.h declares. */
#ifndef VIVARIUM_PYTHON_FINISH_H
#define VIVARIUM_PYTHON_FINISH_H

/* Zygote. 0, or -1 with an error. */
int python_finish_prepare(void);

/* The part of it that changes nothing where no program has run yet: for
 * python_warm.h. No error is set. */
void python_finish_rehearse(void);

#endif
