/* python_atfork.h - keeping the library's fork hooks out of the zygote's forks.
 *
 * threading, random, logging, concurrent.futures and others register functions
 * that repair locks and threads in a forked child. In a zygote of one thread,
 * which holds none of those locks, there is nothing to repair, and running them
 * copies some sixty pages in every sandbox. So what is registered while the
 * zygote loads its modules is written down, and runs at the forks of a program
 * only. It rests as well while we copy a program that has one thread: nothing is
 * to be repaired there either, and `random` goes on where it was. */
#ifndef VIVARIUM_PYTHON_ATFORK_H
#define VIVARIUM_PYTHON_ATFORK_H

#include <stdbool.h>

/* Zygote, around the loading of modules: put a recording function in the place
 * of os.register_at_fork, and take it away again. 0, or -1 with an error. */
int python_atfork_record(void);
int python_atfork_stop(void);

/* Interpreter, around a copying fork of ours: let what was written down rest. */
void python_atfork_rest(bool rest);

/* Around a fork that the program is not to notice: no function of its own runs,
 * whoever registered it, in the process that is forked least of all. False if
 * that cannot be. */
bool python_atfork_silence(void);
void python_atfork_speak(void);

/* In a fork whose hooks have rested: the one thing that is not as it was, the
 * thread's kernel id, which threading.main_thread() has. No error is set. */
void python_atfork_renew_thread(void);

#endif
