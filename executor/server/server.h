/* server.h - the executor's socket: connections, and the calls made on them.
 *
 * A connection has one call at a time. Every handler must end its call with
 * exactly one of call_finish(), call_reply() and call_refuse(), unless cancel()
 * comes first; the call is freed by that. */
#ifndef VIVARIUM_SERVER_H
#define VIVARIUM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "common/protocol.h"
#include "executor/loop/loop.h"
#include "executor/run/profile.h"

struct server;
struct connection;

struct call {
	struct connection *connection;
	uint32_t number;
	enum frame_type type;
	uint8_t *fields; /* checked: well-formed, known tags, valid text */
	size_t length;
	uint64_t started_us;
	/* Set by the handler: nobody waits for the answer any more. It must let go
	 * of the call, which is freed when it returns. NULL: nothing to undo. */
	void (*cancel)(struct call *call);
	/* Set by the handler while it waits for FRAME_CONTINUE. */
	void (*proceed)(struct call *call);
	/* Set by the handler of a streamed call: see call_has_room(). */
	void (*has_room)(struct call *call);
	void *context; /* the handler's */
	struct call *next; /* the handler's: calls that wait for the same */
};

struct operation {
	size_t most_bytes; /* of payload */
	void (*handle)(void *context, struct call *call);
};

struct server_config {
	struct loop *loop;
	const char *path;
	uid_t peer;   /* may connect, besides root and ourselves */
	const struct operation *operations; /* indexed by enum frame_type */
	size_t operation_count;
	void *context;
};

/* Listen. 0, or -errno; an existing socket at the path is replaced if nobody
 * listens on it (-EADDRINUSE if somebody does). */
int server_new(const struct server_config *config, struct server **ret_server);

/* Take no new connections and calls; what runs goes on. */
void server_stop(struct server *server);

/* Calls that are not over. */
size_t server_calls(const struct server *server);

/* Close all connections, cancelling their calls, and remove the socket. */
void server_free(struct server *server);

/* Whom the other end of its connection runs as. */
struct ucred;
const struct ucred *call_peer(const struct call *call);

/* Program output, as it comes; any other event (enum frame_type). */
void call_output(struct call *call, unsigned stream, const void *bytes, size_t length);
void call_event(struct call *call, enum frame_type type, const void *bytes, size_t length);

/* Does the peer read as fast as events come? After a no, has_room() follows when
 * it has caught up. */
bool call_has_room(const struct call *call);

/* FRAME_WORKSPACE with a descriptor, which stays the caller's. */
void call_workspace(struct call *call, int fd);

/* The final frame; all free the call. */
void call_finish(struct call *call, enum frame_type type, const struct buffer *fields);
void call_finish_with_fd(struct call *call, enum frame_type type, const struct buffer *fields,
			 int fd);
__attribute__((format(printf, 4, 5))) void call_refuse(struct call *call, enum refusal refusal,
							unsigned field, const char *format, ...);
void call_refuse_busy(struct call *call, enum refusal refusal, const char *message,
		      uint64_t retry_after_ms);

/* The request's id, for the log; "-" without one. Cut to fit. */
void call_request_id(const struct call *call, char *ret_id, size_t size);

/* ---- what a call asks for, checked (request.c) ---- */

struct options;

/* Each refuses the call, naming the field, and returns false if it is wrong. */
bool req_profile(struct call *call, const struct profile **ret_profile);
bool req_limits(struct call *call, const struct limits *base, struct limits *ret_limits);
/* Of a run: with FIELD_STREAM or FIELD_DETACH it may ask for more than is usual, unless
 * `usual` is less than the profile has. */
bool req_run_limits(struct call *call, const struct limits *usual, const struct profile *profile,
		    const struct options *options, struct limits *ret_limits);
bool req_session_limits(struct call *call, const struct session_limits *base,
			struct session_limits *ret_limits);
bool req_code(struct call *call, struct field_view *ret_code);

/* Empty without one. */
struct field_view req_optional(const struct call *call, unsigned field);

/* 0 without one. */
uint64_t req_number(const struct call *call, unsigned field);

/* Refuse files that sandbox_admit_files() or sandbox_share_workspace() has refused. */
void req_refuse_files(struct call *call, int error);

/* Refuse because our own machinery failed; logs it. */
void req_refuse_internal(struct call *call, const char *what, int error);

/* ---- a peer's connection (connection.c): its bytes in and out, and the one call that it has
 * at a time. For server.c. ---- */

struct connections {
	const struct server_config *config; /* lives as long as they */
	struct connection *first;
	size_t calls;  /* that are not over */
	void (*refuse)(struct call *call); /* a new one, while stopping */
	bool stopping;
};

/* Take calls from the peer at fd, which is the connection's from now on. 0; or -errno,
 * and fd is still the caller's. It ends when the peer does. */
int connection_open(struct connections *all, int fd, const struct ucred *peer);

/* Hang up on all, cancelling their calls. */
void connections_drop_all(struct connections *all);

#endif
