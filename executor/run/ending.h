/* ending.h - how a run ended: the outcome, worked out from what is known of the run.
 *
 * The causes come from the kernel (wait status, cgroup, clock); the report, which
 * is HOSTILE, only says how the code itself ended. Nothing here asks anybody: the
 * caller brings the facts. */
#ifndef VIVARIUM_ENDING_H
#define VIVARIUM_ENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"

/* How the job left the program. */
enum remains {
	REMAINS_IDLE,   /* it waits for the next job */
	REMAINS_KILLED, /* it is dead, or has to die: a session goes back */
	REMAINS_NONE,   /* the sandbox is gone */
};

struct outcome {
	enum status status;
	enum reason reason;
	int64_t return_code;
	int signal;           /* of a crash; 0: none */
	uint64_t limit;       /* that was met, in the unit of its name; 0: none */
	uint64_t wall_us, cpu_us, memory_peak_bytes;
	bool truncated[2];    /* stdout, stderr */
	uint64_t displays_dropped;
	enum remains remains;
	enum state state;
	const char *note;     /* static text, or NULL */
	const uint8_t *report; /* HOSTILE; lives as long as the run */
	size_t report_length;
};

/* Append it as fields of an OUTCOME frame. 0 or -errno. */
int outcome_put(const struct outcome *outcome, struct buffer *list);

/* Each of these sets status, reason and return code, and the signal of a crash. */

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
