/* executor_client.h - one request struct in, one answer out.
 *
 * A client is one connection to the executor's socket, used by one thread. It
 * is made when first needed, kept, and made again after it broke, so that a
 * restarted executor is found without further ado. */
#ifndef VIVARIUM_EXECUTOR_CLIENT_H
#define VIVARIUM_EXECUTOR_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"
#include "fcgi-app/execution/exec_request.h"

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

#endif
