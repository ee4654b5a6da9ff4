/* executor_client.h - one request struct in, one answer out.
 *
 * A client is one connection to the executor's socket, used by one thread. It
 * is made when first needed, kept, and made again after it broke, so that a
 * restarted executor is found without further ado. */
#ifndef VIVARIUM_EXECUTOR_CLIENT_H
#define VIVARIUM_EXECUTOR_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/protocol.h"
#include "common/text.h"

enum { EXEC_LIMITS = FIELD_UNDO_DEPTH - FIELD_WALL_MS + 1 };

/* Files for a one-shot: put() is called with the workspace's directory when the
 * sandbox is there and its program not yet started; for judging, that uses
 * several sandboxes, once for each. 0, or -errno, which gives the run up. The
 * descriptor stays the answer's: the last one. */
struct exec_files {
	int (*put)(void *context, int workspace_fd);
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
	struct text input; /* standard input; end of file follows in any case */
	struct text entry_point;
	const struct buffer *cases; /* FIELD_CASE, as often as there are cases; NULL: none */
	bool create, restricted, detach, clear_files;
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

/* The final frame with what was printed before it. */
struct executor_answer {
	enum frame_type type; /* FRAME_OUTCOME, FRAME_REPLY or FRAME_REFUSAL */
	struct buffer payload, out, err;
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
	uint64_t most_ms;
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

#endif
