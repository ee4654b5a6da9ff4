/* session_machine.h - a session's states, and what may happen to it.
 *
 *            WAITS for a sandbox <-------- its sandbox is gone, from any state
 *              |
 *              v          next ticket: a job           a place
 *   +------> READY -----------------------> ADMITS ---------------> RUNS <----> ASKS
 *   |        |   ^  \                                              |    |      for input
 *   |        |   |   \ next ticket: reset, undo           it ends  |    | it must be killed
 *   |        |   |    v                                   by itself|    v
 *   |        |   |  REWINDS ----------------------------> SETTLES <- RETURNS
 *   |        |   +------------------------------------------| |
 *   |        |                 nothing has changed            | a state worth keeping
 *   |        | the interpreter died                           v
 *   |        +--> RECOVERS -----> SETTLES ----------------> FREEZES: a checkpoint is made
 *   +-----------------------------------------------------------+
 *                                                 ENDED, from any state
 *
 * The table (session_table.c) says for each state and event what is done and which state is
 * next; a pair that it does not have cannot happen, is logged, and costs the session
 * its sandbox. Events that come while one is being handled are handled after it. */
#ifndef VIVARIUM_SESSION_MACHINE_H
#define VIVARIUM_SESSION_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

enum session_state {
	SESSION_IMPOSSIBLE, /* of the table: this cannot happen */
	SESSION_WAITS,    /* for a sandbox */
	SESSION_READY,    /* its interpreter is idle */
	SESSION_ADMITS,   /* a job waits for a running place */
	SESSION_RUNS,     /* a job runs */
	SESSION_ASKS,     /* a cell waits for input; it has no running place meanwhile */
	SESSION_RETURNS,  /* the job had to be killed: it goes back, and answers then */
	SESSION_REWINDS,  /* it goes back because somebody asked for that */
	SESSION_RECOVERS, /* it goes back because the interpreter died between jobs */
	SESSION_SETTLES,  /* for a moment: is a checkpoint needed? */
	SESSION_FREEZES,  /* a checkpoint is being made */
	SESSION_ENDED,    /* unlisted; about to be freed */
	SESSION_STATES
};

enum session_event {
	/* of admission and queue */
	EV_SANDBOX,       /* it has got one */
	EV_NO_SANDBOX,    /* it will get none */
	EV_NEXT,          /* something may be in its queue */
	EV_PLACE,         /* a running place */
	EV_NO_PLACE,
	/* what the next ticket asks for */
	EV_JOB_WANTED,
	EV_REWIND_WANTED,
	EV_REFUSED,       /* it cannot be done, its call is refused */
	/* of the job */
	EV_DONE,          /* over, the program waits for the next */
	EV_KILLED,        /* over, the program is dead or has to die */
	EV_NOT_STARTED,   /* our machinery failed */
	EV_INPUT_WANTED,
	EV_INPUT,         /* has come */
	/* of the sandbox */
	EV_IDLE,          /* the interpreter is there, and waits */
	EV_DIED,          /* the interpreter is dead */
	EV_FAILED,        /* the sandbox is gone */
	/* after a job */
	EV_CHANGED,       /* a state that has no checkpoint yet */
	EV_UNCHANGED,
	EV_NO_CHECKPOINT, /* none can be made */
	/* of clients */
	EV_LEFT,          /* nobody wants the present job any more */
	EV_INTERRUPT,
	EV_END,
	SESSION_EVENTS
};

struct session;

struct session_step {
	enum session_state next;
	void (*action)(struct session *session); /* NULL: nothing is done */
};

typedef struct session_step session_table[SESSION_STATES][SESSION_EVENTS];

enum { MACHINE_QUEUE = 8 };

struct session_machine {
	struct session *session;
	const session_table *table;
	/* The pair is not in the table. */
	void (*impossible)(struct session *session, enum session_state state,
			   enum session_event event);
	enum session_state state;
	enum session_event queue[MACHINE_QUEUE];
	size_t queued;
	bool acting;
};

void session_machine_happens(struct session_machine *machine, enum session_event event);

/* Their names, for the log. */
const char *session_state_name(enum session_state state);
const char *session_event_name(enum session_event event);

#endif
