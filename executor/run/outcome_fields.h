/* outcome_fields.h - how a run ended. */
#ifndef VIVARIUM_OUTCOME_FIELDS_H
#define VIVARIUM_OUTCOME_FIELDS_H

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

#endif
