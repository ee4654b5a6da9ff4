/* ending.h - how a run ended, worked out from what is known of it.
 *
 * The causes come from the kernel (wait status, cgroup, clock); the report, which
 * is HOSTILE, only says how the code itself ended. Nothing here asks anybody: the
 * caller brings the facts. Each sets status, reason and return code, and the
 * signal of a crash. */
#ifndef VIVARIUM_ENDING_H
#define VIVARIUM_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/run/outcome_fields.h"

/* A limit that was met, or an interruption, ended it. */
void ending_by_limit(struct outcome *outcome, enum reason met, int64_t return_code);

/* The job said that it is over, in outcome->report. A report of REASON_PROCESSES is
 * a guess by an exception's text: the caller asks the kernel, and if that knows of
 * no refused fork calls ending_by_exception(). */
void ending_by_report(struct outcome *outcome, int32_t exit_code);
void ending_by_exception(struct outcome *outcome, int32_t exit_code);

/* The process has died; status as wait(2) gives it. `killed_by` is what the kernel
 * killed it, or refused it, for: REASON_MEMORY, REASON_PROCESSES, or REASON_NONE. */
void ending_by_death(struct outcome *outcome, int status, enum reason killed_by);

#endif
