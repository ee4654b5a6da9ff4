/* exec_request.h - what is asked of the executor, by whichever dialect. */
#ifndef VIVARIUM_EXEC_REQUEST_H
#define VIVARIUM_EXEC_REQUEST_H

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

#endif
