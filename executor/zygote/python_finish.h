/* python_finish.h - the preparation of python_finish(), which python.h declares. */
#ifndef VIVARIUM_PYTHON_FINISH_H
#define VIVARIUM_PYTHON_FINISH_H

/* Zygote. 0, or -1 with an error. */
int python_finish_prepare(void);

#endif
