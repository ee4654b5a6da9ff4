/* outcome.h - what the executor says about a run, decoded. */
#ifndef VIVARIUM_OUTCOME_H
#define VIVARIUM_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"
#include "fcgi-app/execution/executor_client.h"

/* What the interpreter says about its run. Whoever wrote the program may have
 * written this too: it is shown to him, and nothing is decided by it. Texts may
 * hold any bytes. */
struct report {
	struct text result;
	struct text exception_type, exception_message, traceback;
	bool has_line;
	uint64_t exception_line;
	struct text list; /* all of it, well-formed: for displays and variables */
};

/* All texts point into the answer and live as long as it. */
struct outcome {
	enum status status;
	enum reason reason;
	enum state state;
	int64_t return_code;
	uint64_t signal; /* 0: none */
	uint64_t wall_us, cpu_us, memory_peak_bytes;
	uint64_t limit;     /* that was met, in its unit; 0: not said */
	uint64_t execution; /* number of the cell; 0: not in a session */
	bool stdout_truncated, stderr_truncated;
	struct text note;
	struct text out, err; /* raw bytes, never cut inside a character by us */
	struct text displays; /* a list of FIELD_CONTENT, HOSTILE */
	struct report report;
};

/* Decode a FRAME_OUTCOME answer. 0 or -EBADMSG. */
int outcome_read(const struct executor_answer *answer, struct outcome *ret_outcome);

/* The same for an outcome that is a part of something else, as one case is of
 * judging: other fields in the list are left alone, the streams are empty. */
int outcome_read_list(const void *list, size_t length, struct outcome *ret_outcome);

enum { OUTCOME_SENTENCE_BYTES = 160 };

/* What a limit or another end from outside means, for people: "Execution timed
 * out after 10 s (wall time limit)". "" where the program's own traceback or
 * exit code says it all. Returns out. */
const char *outcome_sentence(const struct outcome *outcome, char out[OUTCOME_SENTENCE_BYTES]);

#endif
