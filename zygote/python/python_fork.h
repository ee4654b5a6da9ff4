/* python_fork.h - what belongs to the forks that python.h declares: which hooks run.
 *
 * threading, random, logging, concurrent.futures and others register functions
 * that repair locks and threads in a forked child. In a zygote of one thread,
 * which holds none of those locks, there is nothing to repair, and running them
 * copies some sixty pages in every sandbox. So what is registered while the
 * zygote loads its modules is written down, and runs at the forks of a program
 * only. It rests as well while we copy a program that has one thread: nothing is
 * to be repaired there either, and `random` goes on where it was. Without this a
 * one-shot print(1) takes 18 % more CPU time. */
#ifndef VIVARIUM_PYTHON_FORK_H
#define VIVARIUM_PYTHON_FORK_H

/* Zygote, around the loading of modules: put a recording function in the place
 * of os.register_at_fork, and take it away again. 0, or -1 with an error. */
int python_fork_record_hooks(void);
int python_fork_stop_recording(void);

#endif
