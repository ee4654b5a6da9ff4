/* run_parts.h - the inside of a run, for its own files alone: run.c begins it and hears
 * what its sandbox tells, run_clock.c has the limits and ends it, fair.c gives it its
 * share of the CPU. */
#ifndef VIVARIUM_RUN_PARTS_H
#define VIVARIUM_RUN_PARTS_H

#include "common/mailbox.h"
#include "executor/run/run.h"

/* -- fair.c: who has used little CPU goes before who has used much -------------------
 *
 * A run's weight falls with the CPU time that it has used, and with the number of
 * runs that its client has: full / clients' runs / (1 + used / FAIR_STEP_US). So a short
 * program is quick beside any number of endless loops, and thirty loops of one client
 * weigh as much as one of another's. A run that is over within FAIR_FIRST_US costs nothing. */

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

/* -- a run ----------------------------------------------------------------------------- */

struct run {
	struct run_config config;
	struct outcome outcome;
	struct loop_timer wall, cpu, grace, input;
	struct fair fair;
	struct cgroup_usage before;
	uint64_t started_us;
	uint64_t waited_us;             /* for input, so far */
	uint64_t asked_us;              /* since when it waits for input; 0: it does not */
	uint64_t written, most_written; /* bytes of output: so far, in all */
	uint64_t displays, display_bytes;
	enum reason met; /* the limit that was met, or REASON_INTERRUPTED */
	uint64_t met_limit;
	bool held;
	bool refused; /* the process limit kept it from its first process */
	bool over;
	struct buffer ahead; /* input that nobody has asked for yet */
	bool end_of_input;
	uint8_t *report;
};

static inline bool run_is_command(const struct run *run)
{
	return run->config.job.kind == JOB_COMMAND;
}

/* Its wall time goes on: what it has waited for input does not count. 0 or -errno. */
int run_start_wall(struct run *run);
/* Look at its CPU time, again and again. 0 or -errno. */
int run_watch_cpu(struct run *run);

/* A limit is met, or somebody interrupts it: it is told to end, or ended. */
void run_meet(struct run *run, enum reason reason, uint64_t limit);

/* It is over: the clock stops and the kernel's figures are read, while the group exists. */
void run_stop_clock(struct run *run);
/* What the kernel has killed the program for, or refused it. */
enum reason run_killed_by(const struct run *run);
/* After the clock: finished(), with the outcome. */
void run_conclude(struct run *run, enum remains remains);

void run_stop_timers(struct run *run);

#endif
