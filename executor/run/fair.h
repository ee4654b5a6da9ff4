/* fair.h - who has used little CPU goes before who has used much.
 *
 * A run's weight falls with the CPU time that it has used, and with the number of
 * runs that its client has: full / clients' runs / (1 + used / FAIR_STEP_US). So a short
 * program is quick beside any number of endless loops, and thirty loops of one client
 * weigh as much as one of another's. A run that is over within FAIR_FIRST_US costs nothing. */
#ifndef VIVARIUM_FAIR_H
#define VIVARIUM_FAIR_H

#include "executor/loop/loop.h"
#include "executor/sandbox/sandbox.h"

enum {
	FAIR_STEP_US = 20000,   /* of CPU: what most programs need in all */
	FAIR_FIRST_US = 10000,  /* of wall time, until a run is first looked at; then twice
				 * as long, and so on to the last */
	FAIR_LAST_US = 320000,
};

struct fair {
	struct loop *loop;
	struct sandbox *sandbox;
	struct loop_timer timer;
	const uint64_t *rivals; /* its client's runs, itself included; NULL: unknown */
	uint64_t cpu_before_us;
	uint64_t wait_us;
	uint64_t weight;
};

/* A run begins in this sandbox. The count is read while it lasts. */
void fair_begin(struct fair *fair, struct loop *loop, struct sandbox *sandbox,
		uint64_t cpu_before_us, const uint64_t *rivals);

/* It is over; `alive`: its sandbox goes on, and begins with full weight next time. Also
 * if it has not begun. */
void fair_end(struct fair *fair, bool alive);

/* The rule by itself. */
uint64_t fair_weight(uint64_t used_us, uint64_t rivals);

#endif
