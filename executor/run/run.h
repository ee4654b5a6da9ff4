/* run.h - one job in one sandbox: its clock, its output, its verdict.
 *
 * The verdict comes from the kernel (wait status, cgroup, clock); the report
 * only says how the code itself ended. Call order: run_begin(), then exactly one
 * finished(), unless run_abandon() comes first. */
#ifndef VIVARIUM_RUN_H
#define VIVARIUM_RUN_H

#include <stdbool.h>

#include "executor/run/run_limits.h"
#include "executor/run/outcome_fields.h"
#include "executor/sandbox/sandbox.h"

struct run;

struct run_owner {
	void (*output)(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		       size_t length);
	/* The job is over. The outcome and its report live until run_free(). */
	void (*finished)(void *context, const struct outcome *outcome);
	void *context;
};

struct run_config {
	struct loop *loop;
	struct sandbox *sandbox; /* idle; the run owns its callbacks until finished() */
	struct limits limits;
	struct sandbox_job job;
	uint64_t cpu_percent;
	/* A session's cell: on a limit interrupt first, wait so long, then go back
	 * to the checkpoint. 0: a one-shot, ended at once. */
	uint64_t grace_ms;
	bool has_state; /* a session's: there is something to be lost */
	struct run_owner owner;
};

/* Start. 0, or -errno and nothing was started. */
int run_begin(const struct run_config *config, struct run **ret_run);

/* KeyboardInterrupt, on request. */
void run_interrupt(struct run *run);

/* Nobody wants the outcome: the sandbox is the caller's again. */
void run_free(struct run *run);

#endif
