/* session.h - a Python that lives on between calls.
 *
 * A session owns one sandbox. What is asked of it waits in order as tickets; one
 * is served at a time. After each cell that ended by itself the interpreter makes
 * a checkpoint, off the request's path; a cell that has to be killed takes the
 * session back to the last one. */
#ifndef VIVARIUM_SESSION_H
#define VIVARIUM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/executor.h"
#include "executor/session/history.h"
#include "executor/run/profile.h"
#include "executor/run/run.h"

enum { SESSION_ID_MAX = 128, SESSION_CLIENT_MAX = 64, UNDO_LEVELS_MAX = 15 };

enum session_phase {
	SESSION_WAITS,    /* for a sandbox */
	SESSION_READY,    /* its interpreter is idle */
	SESSION_RUNS,     /* a ticket is being served */
	SESSION_SETTLES,  /* a checkpoint is being made, or it goes back by itself */
};

enum ticket_kind { TICKET_CELL, TICKET_VARIABLES, TICKET_COMMAND, TICKET_RESET, TICKET_UNDO };

/* A call that waits for, or is being served by, a session. */
struct ticket {
	struct session *session;
	struct ticket *next;
	struct call *call; /* NULL: its client has gone away, the cell is ending */
	enum ticket_kind kind;
	struct limits limits;
	struct loop_timer timer; /* waits no longer than its own time-out */
	struct waiter waiter;    /* for a running place */
	bool granted;
	struct run *run;
};

/* The cell whose value `_` has, where no checkpoint has it: after a way back it is
 * run again. No code: there is none. */
struct replay {
	char *code;
	size_t length;
};

/* A cell that can be undone. */
struct undo_level {
	bool pure; /* it changed nothing but `_` */
	struct replay before;
};

struct session {
	struct executor *executor;
	struct session *next, **link;
	char id[SESSION_ID_MAX + 1];
	char client[SESSION_CLIENT_MAX + 1];
	const struct profile *profile;
	struct environment *environment; /* held until the end */
	struct limits limits;
	struct session_limits terms;
	enum session_phase phase;
	struct sandbox *sandbox;
	struct waiter waiter; /* for a sandbox */
	struct loop_timer idle, life;
	struct ticket *current;
	struct ticket *first, **last; /* waiting */
	struct call *wants_workspace; /* until there is a sandbox; a list */
	uint64_t created_ms, last_used_ms; /* since 1970 */
	uint64_t expires_ms;
	uint64_t executions;  /* cells so far */
	uint64_t cells;       /* whose effects the present state has */
	struct undo_level undo[UNDO_LEVELS_MAX]; /* the newest last */
	size_t undo_levels;
	bool ended;           /* unlisted, about to be freed: nothing happens to it any more */
	bool freezes;         /* settling means that a checkpoint is being made */
	struct replay replay;
	bool replay_due;      /* the session went back to before it */
	uint64_t started_ms;  /* when the current cell was */
	enum state pending;   /* happened while nobody asked: told with the next answer */
	const char *pending_note;
	struct history history;
};

/* By id; NULL if there is none. */
struct session *session_find(struct executor *executor, const char *id, size_t length);

/* A new session, without a sandbox yet; asks for one. The caller has checked the
 * id and the limits on sessions. NULL without memory. */
struct session *session_new(struct executor *executor, const struct profile *profile,
			    struct environment *environment, const struct limits *limits, const struct session_limits *terms,
			    const char *id, size_t id_length, const char *client,
			    size_t client_length);

/* Put a call in the session's queue; it is answered from there. */
void session_enqueue(struct session *session, struct call *call, enum ticket_kind kind,
		     const struct limits *limits);

/* Answer with a directory descriptor of the workspace, now if there is a sandbox,
 * else when there is one. */
void session_give_workspace(struct session *session, struct call *call);

/* KeyboardInterrupt in the running cell. False if none runs. */
bool session_interrupt(struct session *session);

/* End it: its calls are refused with `message`, nothing of it is left. */
void session_end(struct session *session, const char *message);

/* Milliseconds since 1970. */
uint64_t session_clock_ms(void);

#endif
