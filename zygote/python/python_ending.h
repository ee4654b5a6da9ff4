/* python_ending.h - the library's own exit functions, when they have something to do.
 *
 * threading._shutdown() and logging.shutdown() run at every end of every
 * program, and as Python code they copy some seventy pages in a fork. In most
 * programs they have nothing to do, and that can be told from outside. */
#ifndef VIVARIUM_PYTHON_ENDING_H
#define VIVARIUM_PYTHON_ENDING_H

/* Zygote: take over from atexit what modules registered there. 0, or -1 with an
 * error. */
int python_ending_prepare(void);

/* First at the end: wait for the threads that are no daemons. What fails is said
 * on stderr; no error is set. */
void python_ending_join_threads(void);

/* After the program's exit functions: flush and close logging's handlers. */
void python_ending_close_logs(void);

#endif
