/* session.h - a Python that lives on between calls.
 *
 * A session owns one sandbox. What is asked of it waits in order; one thing is done at
 * a time. After each cell that may have changed something the interpreter makes a
 * checkpoint, off the request's path; a cell that has to be killed takes the session
 * back to the last one.
 *
 *   session_calls.c, cell_calls.c   the FRAME_SESSION_* calls
 *   session.c           its beginning; what needs no turn
 *   session_close.c, session_clock.c   its end; when that comes by itself
 *   session_table.c     what happens when: the state machine
 *   session_job.c       a cell, a command, a look at the variables
 *   session_outcome.c   how that ended, and what it means for the session
 *   session_sandbox.c   its sandbox between jobs: checkpoints and ways back
 *   session_machine.c   states and events (with the picture)
 *   undo.c              what can be undone
 *   cells.c, cell.c, cell_summary.c, event_log.c   what is kept of the cells, who follows them
 *   tickets.c           calls that wait for their turn */
#ifndef VIVARIUM_SESSION_H
#define VIVARIUM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/executor.h"
#include "executor/session/cells.h"
#include "executor/session/tickets.h"
#include "executor/run/profile.h"

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

#endif
