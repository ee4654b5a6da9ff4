/* python_pages.h - which memory a fork shares with its zygote, and which it copies.
 *
 * Forks of one zygote share its address layout. Small objects would also go
 * into the gaps of the zygote's own arenas: at addresses that are the same in
 * every fork, one copied page for each gap. So before the fork the gaps are
 * filled, and after it new arenas are made at a random place. Small programs are
 * run ahead: in the zygote, so that CPython makes there what it makes on first use,
 * and in the fork, so that its pages are copied while nobody waits yet.
 *
 * Without them a one-shot print(1) takes so much more CPU time, sandbox and all: without
 * filling the gaps 13 %, without huge pages 6 to 14 %, without the programs in the
 * zygote 15 %, in the fork 7 to 18 %. */
#ifndef VIVARIUM_PYTHON_PAGES_H
#define VIVARIUM_PYTHON_PAGES_H

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

#endif
