/* execution.h - one request struct in, one outcome struct out.
 *
 * Whichever dialect asks fills a struct exec_request; the client sends it and gives back
 * the answer, of which outcome_read() makes a struct outcome. */
#ifndef VIVARIUM_EXECUTION_H
#define VIVARIUM_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"

enum { EXEC_LIMITS = FIELD_UNDO_DEPTH - FIELD_WALL_MS + 1 };

/* Files for a one-shot: put() is called with the workspace's directory when the
 * sandbox is there and its program not yet started; for judging, that uses
 * several sandboxes, once for each. 0, or -errno, which gives the run up. The
 * descriptor stays the answer's: the last one. */
struct exec_files {
	int (*put)(void *context, int workspace_fd);
	void *context;
	uint64_t bytes; /* what put() writes at most, as files_room() counts; 0: nothing */
};

/* Who wants events as they come. Not to return from a call makes the program wait.
 * -errno gives the run up. */
struct exec_events {
	/* START, STDOUT, STDERR, DISPLAY, INPUT or GAP; the payload is gone afterwards */
	int (*event)(void *context, enum frame_type type, const void *payload, size_t length);
	int (*pause)(void *context); /* there are no more for now */
	int (*idle)(void *context);  /* for idle_ms there was none */
	unsigned idle_ms;
	void *context;
};

/* A limit that is asked for. */
struct exec_limit {
	bool given;
	bool is_default; /* ours, not the client's: where less is allowed, that holds */
	uint64_t value;
	const char *name; /* the client's, for a refusal; NULL: the protocol's */
	unsigned unit;    /* one of the client's units in the protocol's */
};

/* What is asked of the executor. Only what is set is sent: absent texts, zeros
 * and false mean "as the profile has it". */
struct exec_request {
	enum frame_type call;
	const char *request_id;
	const char *client;
	const char *profile;
	struct text environment;
	struct text session_id;
	struct text code;
	struct text input; /* standard input; end of file follows, but for SESSION_STDIN */
	struct text entry_point;
	const struct buffer *cases; /* FIELD_CASE, as often as there are cases; NULL: none */
	bool create, restricted, detach, clear_files, interactive, end_of_input, follow;
	uint64_t execution; /* which cell; 0: none */
	uint64_t sequence;  /* the first of its events that is wanted; 0: all */
	const struct exec_events *events; /* NULL: all at the end, in the answer */
	const struct exec_files *files; /* NULL: none go in or out */
	struct exec_limit limits[EXEC_LIMITS]; /* by field number minus FIELD_WALL_MS */
};

/* A limit that the client did not name: where the session or the profile allows less,
 * that holds. */
static inline void exec_request_default(struct exec_request *request, enum field limit,
					uint64_t value)
{
	request->limits[limit - FIELD_WALL_MS] =
		(struct exec_limit){ .given = true, .is_default = true, .value = value, .unit = 1 };
}

/* The whole frame, in place of what the buffer holds. 0, -ENOMEM, or -E2BIG: it is
 * larger than a frame may be. */
int exec_request_encode(const struct exec_request *request, uint32_t number, struct buffer *out);

/* ---- the client (executor_client.c) -------------------------------------------------
 *
 * One connection to the executor's socket, used by one thread. It is made when first
 * needed, kept, and made again after it broke, so that a restarted executor is found
 * without further ado. */

/* The final frame with what was printed before it. */
struct executor_answer {
	enum frame_type type; /* FRAME_OUTCOME, FRAME_REPLY or FRAME_REFUSAL */
	bool begun;           /* an event has come */
	struct buffer payload, out, err;
	struct buffer displays; /* FIELD_CONTENT for each: HOSTILE */
	uint64_t lost_bytes;    /* of a cell's events: what is not kept any more */
	int fd; /* the descriptor that came along, or -1 */
};

#define EXECUTOR_ANSWER_INIT                                                                       \
	{                                                                                          \
		.fd = -1                                                                           \
	}

void executor_answer_free(struct executor_answer *answer);

#define AUTO_ANSWER __attribute__((cleanup(executor_answer_free))) struct executor_answer

/* What to look at while waiting. */
struct executor_wait {
	int hangup_fd; /* -1, or the client's connection: its hang-up cancels */
	uint64_t most_ms; /* until the final frame; with events: until the first of them */
};

struct executor_client;

/* `address` is unix:/path or /path. 0, -EINVAL, -ENAMETOOLONG or -ENOMEM; does
 * not connect. Freed with executor_client_free(). */
int executor_client_new(const char *address, struct executor_client **ret_client);
void executor_client_free(struct executor_client *client);

/* Close the connection until it is needed again. */
void executor_client_rest(struct executor_client *client);

/* Ask and wait. 0 with *ret_answer filled (the caller frees it), or
 *   -ECANCELED   the client's connection hung up; the run has been cancelled
 *   -ETIMEDOUT   no answer within most_ms; the run has been cancelled
 *   -EBADMSG, -EPROTO, -EMSGSIZE  the executor broke the protocol
 *   -E2BIG       the request is larger than a frame may be
 *   -ECONNABORTED  put() of the request's files failed; nothing has been run
 *   other        the executor is away
 * After any failure the connection is closed; the next call makes a new one. */
int executor_client_call(struct executor_client *client, const struct exec_request *request,
			 const struct executor_wait *wait, struct executor_answer *ret_answer);

/* ---- what the executor says about a run, decoded ------------------------------------ */

/* What the interpreter says about its run. Whoever wrote the program may have
 * written this too: it is shown to him, and nothing is decided by it. Texts may
 * hold any bytes. */
struct exec_report {
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
	struct exec_report report;
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

/* ---- from an exchange to the executor and back (exec_run.c): what all dialects share ---- */

struct exchange;

/* A request with what every call carries: its id, the client, the profile. */
struct exec_request run_request(const struct exchange *exchange, enum frame_type call,
				const char *profile);

/* Ask the executor. True with *ret_answer holding the final frame that was
 * expected (FRAME_OUTCOME or FRAME_REPLY); false when the problem answer has
 * been given: a refusal, the executor away, or the client gone. Where the put()
 * of request->files failed it is false as well, and that answer is the caller's
 * to give. */
bool run_call(struct exchange *exchange, const struct exec_request *request,
	      enum frame_type expected, struct executor_answer *ret_answer);

/* The same, but a refusal is given back for the dialect to word: *ret_answer
 * may then be of type FRAME_REFUSAL. */
bool run_ask(struct exchange *exchange, const struct exec_request *request,
	     struct executor_answer *ret_answer);

/* run_call() for a run, decoded. The outcome points into *ret_answer. */
bool run_outcome(struct exchange *exchange, const struct exec_request *request,
		 struct executor_answer *ret_answer, struct outcome *ret_outcome);

/* The problem answer for an executor that broke the protocol. */
void run_not_understood(struct exchange *exchange);

/* Which refusal a FRAME_REFUSAL holds; REFUSAL_COUNT if none that we know. */
enum refusal run_refusal(const struct executor_answer *answer);

/* The problem answer for a refusal; the second with the status that the dialect
 * has for a wrong field (422 in the first). */
void run_refuse(struct exchange *exchange, const struct executor_answer *answer);
void run_refuse_as(struct exchange *exchange, const struct executor_answer *answer,
		   int invalid_status);

/* Is it a refusal because of this field of the request? */
bool run_refused_field(const struct executor_answer *answer, enum field field);

#endif
