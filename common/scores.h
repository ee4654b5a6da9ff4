/* scores.h - who dies first when memory is short: a sandbox's own, or the machine's. */
#ifndef VIVARIUM_SCORES_H
#define VIVARIUM_SCORES_H

enum {
	OOM_SCORE_DAEMON = -500,     /* where we may: programs end, the service goes on */
	OOM_SCORE_PROGRAM = 500,
	OOM_SCORE_CHECKPOINT = 1000, /* the very first: the program keeps its limit */
};

#endif
