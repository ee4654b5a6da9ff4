/* run.h - one job in one sandbox: its clocks, its output, how it ended.
 *
 *   run_begin() ... output()* display()* input() run_give_input() ... finished()
 *   run_free()   at any moment; no callback comes after it
 *
 * A limit or run_interrupt() ends the job: a one-shot's and a command's at once, a
 * cell's with SIGINT first and `grace_ms` to end by itself. */
#ifndef VIVARIUM_RUN_H
#define VIVARIUM_RUN_H

#include <stdbool.h>

#include "executor/run/profile.h"
#include "executor/run/ending.h"
#include "executor/sandbox/sandbox.h"

struct run;

/* display and input may be NULL: what is shown is thrown away, input is at its end. */
struct run_owner {
	void (*output)(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		       size_t length);
	/* The program shows something: JSON, HOSTILE, good during the call. */
	void (*display)(void *context, const uint8_t *text, size_t length);
	/* The program waits for run_give_input(); the prompt is HOSTILE. */
	void (*input)(void *context, const uint8_t *prompt, size_t length, bool password);
	/* The job is over; how it left the program is in the outcome. Both live until
	 * run_free(). */
	void (*finished)(void *context, const struct outcome *outcome);
	void *context;
};

struct run_config {
	struct loop *loop;
	struct sandbox *sandbox; /* idle; the run owns its callbacks until finished() */
	struct limits limits;
	struct sandbox_job job;
	uint64_t cpu_percent;
	/* A session's cell: on a limit interrupt first and wait so long. 0: a one-shot,
	 * ended at once. */
	uint64_t grace_ms;
	uint64_t input_ms; /* all waiting for input together; it is not wall time */
	uint64_t displays, display_bytes; /* of what the program shows; the rest is dropped */
	const uint64_t *rivals; /* how many runs its client has; NULL: unknown. See run_parts.h */
	struct run_owner owner;
};

/* Input that comes before the program asks for it. */
enum { RUN_INPUT_AHEAD_MAX = 64 << 10 };

/* Start. 0, or -errno and nothing was started; -ENOENT: the interpreter is dead. */
int run_begin(const struct run_config *config, struct run **ret_run);

/* KeyboardInterrupt, on request. */
void run_interrupt(struct run *run);

/* Stop reading what the program writes, or go on; it waits when its pipes are full. */
void run_hold(struct run *run, bool hold);

/* Input for an interactive job; with `eof` nothing follows. 0, -ENOSPC if more has
 * come than the program has asked for, -EPIPE after end of file, or -errno. */
int run_give_input(struct run *run, const void *bytes, size_t length, bool eof);

/* Nobody wants the outcome: the sandbox is the caller's again. */
void run_free(struct run *run);

#endif
