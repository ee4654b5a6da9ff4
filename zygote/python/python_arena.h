/* python_arena.h - where a program's objects lie in memory.
 *
 * Forks of one zygote share its address layout. Small objects would also go
 * into the gaps of the zygote's own arenas: at addresses that are the same in
 * every fork, one copied page for each gap. So before the fork the gaps are
 * filled, and after it new arenas are made at a random place. */
#ifndef VIVARIUM_PYTHON_ARENA_H
#define VIVARIUM_PYTHON_ARENA_H

/* Zygote, before the interpreter is initialised. */
void python_arena_install(void);

/* Zygote, when everything is loaded: take what is free in the arenas. */
void python_arena_fill(void);

/* Interpreter, after the fork: the next arenas lie somewhere else. */
void python_arena_scatter(void);

#endif
