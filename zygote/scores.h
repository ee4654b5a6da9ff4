/* scores.h - who in a sandbox dies first when its memory is short. */
#ifndef VIVARIUM_SCORES_H
#define VIVARIUM_SCORES_H

enum {
	OOM_SCORE_PROGRAM = 500,     /* before init, which stays at its own */
	OOM_SCORE_CHECKPOINT = 1000, /* the very first: the program keeps its limit */
};

#endif
