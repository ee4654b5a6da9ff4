/* session.h - a Python that lives on between calls.
 *
 * A session owns one sandbox. What is asked of it waits in order; one thing is done at
 * a time. After each cell that may have changed something the interpreter makes a
 * checkpoint, off the request's path; a cell that has to be killed takes the session
 * back to the last one.
 *
 *   session_calls.c     the FRAME_SESSION_* calls
 *   session.c           its beginning; what needs no turn
 *   session_table.c     what happens when: the state machine; its end
 *   session_job.c       a cell, a command, a look at the variables
 *   session_outcome.c   how that ended, and what it means for the session
 *   session_sandbox.c   between jobs: its sandbox, checkpoints and ways back
 *   session_machine.c   states and events
 *   undo.c              what can be undone
 *   cells.c, cell.c, event_log.c   what is kept of the cells, who follows them
 *   tickets.c           calls that wait for their turn */
#ifndef VIVARIUM_SESSION_H
#define VIVARIUM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/executor.h"
#include "executor/run/profile.h"
#include "executor/server/server.h"
#include "executor/session/cell.h"

enum { SESSION_ID_MAX = 128, SESSION_CLIENT_MAX = 64 };

struct session;

/* By id; NULL if there is none. */
struct session *session_find(struct executor *executor, const char *id, size_t length);

/* How many there are; of this profile, of this client. */
size_t session_count_profile(const struct executor *executor, const struct profile *profile);
size_t session_count_client(const struct executor *executor, const char *client, size_t length);

/* What a session is made with; the caller has checked the id and the bounds. */
struct session_config {
	const struct profile *profile;
	struct environment *environment;
	struct limits limits;
	struct session_limits terms;
	const char *id, *client; /* not ended by NUL */
	size_t id_length, client_length;
};

/* A new session, without a sandbox yet; asks for one. NULL without memory, or where the
 * queue for sandboxes is full. */
struct session *session_new(struct executor *executor, const struct session_config *config);

const struct profile *session_profile(const struct session *session);
struct environment *session_environment(const struct session *session);
const struct limits *session_limits_of(const struct session *session);

enum ticket_kind { TICKET_CELL, TICKET_VARIABLES, TICKET_COMMAND, TICKET_RESET, TICKET_UNDO };

/* Put a call in the session's queue; it is answered from there, also with a refusal. */
void session_enqueue(struct session *session, struct call *call, enum ticket_kind kind,
		     const struct limits *limits);

/* Answer with a directory descriptor of the workspace, now if there is a sandbox,
 * else when there is one. */
void session_give_workspace(struct session *session, struct call *call);

/* KeyboardInterrupt in the running job. False if none runs. */
bool session_interrupt(struct session *session);

/* Input for the interactive cell that runs. 0, -ESRCH if none does, or as
 * run_give_input(). */
int session_give_input(struct session *session, const void *bytes, size_t length, bool eof);

/* The cells that are kept. */
struct cells *session_cells(struct session *session);

/* Answer the call with a cell's events as they come, until its end. */
void session_follow(struct session *session, struct cell *cell, struct call *call, uint64_t from);

/* Append what a REPLY says of it; a FIELD_SESSION for each. 0 or -errno. */
int session_put(const struct session *session, struct buffer *list);
int sessions_put(const struct executor *executor, struct buffer *list);

/* End it: its calls are refused with `message`, nothing of it is left. */
void session_end(struct session *session, const char *message);

/* -- tickets.c: what is asked of a session, calls that wait for their turn, in order ----------
 *
 * A ticket waits no longer than the time that its call may take, and leaves when its
 * client does. Taken out by tickets_take() it is its taker's. */

struct tickets;

struct ticket {
	struct tickets *tickets;
	struct ticket *next;
	struct call *call; /* NULL: answered, or its client has gone */
	enum ticket_kind kind;
	struct limits limits;
	struct loop_timer timer;
	bool waiting;
};

struct tickets {
	struct loop *loop;
	struct ticket *first, **last;
	size_t count, most;
	/* One that waited has left the queue. */
	void (*left)(void *context);
	/* The client of one that was taken has gone; its call is NULL now. */
	void (*client_left)(void *context, struct ticket *ticket);
	void *context;
};

/* Put a call at the end. 0; -EAGAIN: too many wait; -ENOMEM. */
int tickets_add(struct tickets *tickets, struct call *call, enum ticket_kind kind,
		const struct limits *limits);

/* The first one; NULL if none waits. */
struct ticket *tickets_take(struct tickets *tickets);

/* One that was taken is the first again, and waits for as long as it takes. */
void tickets_put_back(struct tickets *tickets, struct ticket *ticket);

/* Its call, which the caller answers; NULL if nobody waits for that. */
struct call *ticket_take_call(struct ticket *ticket);

/* Take one and refuse it, for each. */
void tickets_refuse_all(struct tickets *tickets, enum refusal refusal, const char *message);

void ticket_refuse(struct ticket *ticket, enum refusal refusal, const char *message,
		   uint64_t retry_ms);
void ticket_free(struct ticket *ticket);

#endif
