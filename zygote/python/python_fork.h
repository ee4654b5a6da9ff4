/* python_fork.h - what belongs to the forks that python.h declares: which hooks run, what
 * must differ between two processes, and which memory they share.
 *
 * threading, random, logging, concurrent.futures and others register functions
 * that repair locks and threads in a forked child. In a zygote of one thread,
 * which holds none of those locks, there is nothing to repair, and running them
 * copies some sixty pages in every sandbox. So what is registered while the
 * zygote loads its modules is written down, and runs at the forks of a program
 * only. It rests as well while we copy a program that has one thread: nothing is
 * to be repaired there either, and `random` goes on where it was. Without this a
 * one-shot print(1) takes 20 % more CPU time. */
#ifndef VIVARIUM_PYTHON_FORK_H
#define VIVARIUM_PYTHON_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* Zygote, around the loading of modules: put a recording function in the place
 * of os.register_at_fork, and take it away again. 0, or -1 with an error. */
int python_fork_record_hooks(void);
int python_fork_stop_recording(void);

/* -- python_random.c: random numbers and names differ between forks ----------------------- */

/* Zygote, after the preloads: find the generators that each fork seeds anew
 * (`random`, numpy's global one), and forget tempfile's of names. 0, or -1 with an
 * error. */
int python_random_prepare(void);

/* After a fork that a new program will use: seed them. No error is set. */
void python_random_renew(void);

/* Around a fork that copies a running program, whose after-fork hooks seed `random`: keep
 * its state, and put it back or, in the parent, forget it. Nothing to do where the hooks
 * rest that the zygote's own import of it has registered, unless the program has loaded
 * it anew: that registers one more. No error is set. */
void python_random_keep(bool hooks_rest);
void python_random_give_back(void);
void python_random_let_go(void);

/* -- python_pages.c: which memory a fork shares with its zygote, and which it copies ---
 *
 * Forks of one zygote share its address layout. Small objects would also go
 * into the gaps of the zygote's own arenas: at addresses that are the same in
 * every fork, one copied page for each gap. So before the fork the gaps are
 * filled, and after it new arenas are made at a random place, so that addresses tell
 * nothing. Small programs are run ahead: in the zygote, so that CPython makes there what it
 * makes on first use, and in the fork, so that its pages are copied while nobody waits yet.
 *
 * Without them a one-shot print(1) takes so much more CPU time, executor and sandbox
 * together: without filling the gaps 6 %. Without the programs in the zygote a one-shot
 * that raises takes 13 % more; without the one in the fork print(1) takes 3 % less, but one
 * that comes alone is answered 5 to 10 % later. */

/* Zygote, before the interpreter is initialised: arenas come from here. */
void python_pages_install(void);

/* Zygote, before gc.freeze(): make what CPython makes on first use, and let it
 * specialise the library's code for tracebacks: each fork would write to that
 * code to count, and so copy it. Prints nothing and leaves no module, name or
 * source behind. No error is set. */
void python_pages_warm_zygote(void);

/* Zygote, when everything is loaded: take what is free in the arenas. */
void python_pages_fill(void);

/* Interpreter, after the fork: the next arenas lie somewhere else. */
void python_pages_scatter(void);

/* Interpreter, before its job: copy the pages that every program writes to. As
 * silent as python_pages_warm_zygote(). */
void python_pages_warm_fork(void);

/* -- python_huge.c: the zygote's memory in huge pages, and in few mappings ---------------
 *
 * A fork copies an entry for each page and a description of each mapping, its end takes
 * them away again, and every few pages of a file that it reads are a page fault. One entry
 * stands for a huge page (2 MiB). What a fork then writes to is split and copied in
 * small pages as before. All of this is for speed alone: what the kernel cannot do stays as
 * it is (it makes huge pages by order since Linux 6.1).
 *
 * A one-shot print(1) takes 11 to 13 % less CPU time by it, 100 judged cases 15 %. */

/* Make the huge pages that fit between the two one page each. The range is one
 * anonymous mapping. True if all of them are. */
bool python_huge_collapse(uintptr_t from, uintptr_t to);

/* Let the anonymous mapping that ends at `end` grow until a huge page ends. Returns its
 * new end, or `end` where something is in the way. */
uintptr_t python_huge_extend(uintptr_t end);

/* When everything is loaded; there is one thread. Puts malloc()'s heap, and the code and
 * data of what every program uses (the zygote itself, C, Python), into huge pages: all of
 * its code stays at its place, executable and not writable, but is no file's any more.
 * Of every other library's five mappings it makes two. */
void python_huge_finish(void);

#endif
