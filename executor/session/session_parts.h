/* session_parts.h - the inside of a session, for the files that work on one: its states
 * and what may happen to it, what can be undone, and all that it has.
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
 *   RUNS or ASKS -- it ends by itself, having met a limit --> TIDIES: what it left is killed
 *                      --> SETTLES, or RETURNS with threads       ENDED, from any state
 *
 * The table (session_table.c) says for each state and event what is done and which state is
 * next; a pair that it does not have cannot happen, is logged, and costs the session
 * its sandbox. Events that come while one is being handled are handled after it. */
#ifndef VIVARIUM_SESSION_PARTS_H
#define VIVARIUM_SESSION_PARTS_H

#include "executor/run/run.h"
#include "executor/session/session.h"

/* -- states and events ---------------------------------------------------------------------- */

enum session_state {
	SESSION_IMPOSSIBLE, /* of the table: this cannot happen */
	SESSION_WAITS,    /* for a sandbox */
	SESSION_READY,    /* its interpreter is idle */
	SESSION_ADMITS,   /* a job waits for a running place */
	SESSION_RUNS,     /* a job runs */
	SESSION_ASKS,     /* a cell waits for input; it has no running place meanwhile */
	SESSION_TIDIES,   /* a cell met a limit: what it left is being killed */
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
	EV_LEFTOVERS,     /* over, it met a limit, and there may be more than the interpreter */
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

/* -- undo.c: what can be undone, and the cell whose value `_` has ------------------------------
 *
 * Looking at a value is the commonest cell, and a checkpoint costs more than it does:
 * `1+1` by 8 clients runs ten times as often without. Such a pure cell changes nothing
 * but `_`. It gets no checkpoint; its source is kept instead, and after a way back it is
 * run again, silently, in front of the next job (the replay), so that `_` is right. */

enum { UNDO_LEVELS_MAX = 15 };

/* A cell to be run again. No code: there is none. */
struct replay {
	char *code;
	size_t length;
};

/* A cell that can be undone. */
struct undo_level {
	bool pure;
	struct replay before; /* what held before it */
};

struct undo {
	size_t depth; /* levels at most */
	uint64_t cells; /* whose effects the present state has, pure ones not counted */
	struct undo_level levels[UNDO_LEVELS_MAX]; /* the newest last */
	size_t count;
	struct replay replay;
	bool replay_due; /* the session went back to before it */
};

/* A cell may have changed something. */
void undo_add_cell(struct undo *undo);

/* A cell has changed nothing but `_`, and not even that if it has no value. False: it
 * cannot be kept to be run again, and counts as any other. */
bool undo_add_pure_cell(struct undo *undo, struct field_view code, bool has_value);

/* The session went back to its newest checkpoint. */
void undo_went_back(struct undo *undo);

/* Take the newest level back, where `checkpoints` are alive. True with the number of
 * checkpoints that are to be dropped for it. */
bool undo_take(struct undo *undo, size_t checkpoints, size_t *ret_drop);

/* None can be undone any more; the interpreter is a fresh one. */
void undo_forget(struct undo *undo);
void undo_be_empty(struct undo *undo);

/* -- a session ---------------------------------------------------------------------------------- */

/* Why the present state has no checkpoint. */
enum unsaved { UNSAVED_NOT, UNSAVED_LARGE, UNSAVED_NO_COPY, UNSAVED_COUNT };

struct session {
	struct executor *executor;
	struct session *next, **link;
	char id[SESSION_ID_MAX + 1];
	char client[SESSION_CLIENT_MAX + 1];
	const struct profile *profile;
	struct environment *environment; /* held until the end */
	struct limits limits;
	struct session_limits terms;
	struct session_machine machine;
	struct loop_timer idle, life;
	const char *end_message; /* for the calls that are refused with it */
	uint64_t created_ms, last_used_ms, expires_ms; /* since 1970 */

	struct sandbox *sandbox;
	struct waiter waiter; /* for a sandbox */
	struct call *wants_workspace; /* until there is a sandbox; a list */
	struct undo undo;
	enum unsaved unsaved;
	bool unsaved_told;
	enum state pending; /* happened while nobody asked: told with the next answer */
	const char *pending_note;

	struct tickets tickets;
	struct ticket *current; /* the job, or the way back, that is being done */
	struct waiter place;    /* of the job: for a running place */
	bool placed;
	struct run *run;
	struct outcome outcome; /* of the job, when it is over; lives as long as the run */
	struct cell *cell;      /* of the job, if it is one */
	struct loop_timer leave; /* of the job's clients: when it is too late to come back */
	char request_id[160];    /* of the job's call, for the log */
	struct {
		const void *bytes;
		size_t length;
		bool eof;
		int error;
	} input; /* that has come, while it is handed over */
	struct cells cells;
	uint64_t executions; /* cells so far */
};

static inline void session_happens(struct session *session, enum session_event event)
{
	session_machine_happens(&session->machine, event);
}

/* session_sandbox.c: milliseconds since 1970; it has been used, or is being used: its
 * idle time begins again, or rests. */
uint64_t session_clock_ms(void);
void session_touch(struct session *session);
void session_own_sandbox(struct session *session);
void session_get_sandbox(struct session *session);
void session_take_sandbox(struct session *session);
void session_replace_sandbox(struct session *session); /* it is gone: go on in another */
void session_freeze(struct session *session);
void session_frozen(struct session *session);
void session_not_frozen(struct session *session);
void session_recover(struct session *session);
void session_recovered(struct session *session);
void session_return(struct session *session);
void session_rewind(struct session *session);
void session_rewound(struct session *session);
void session_cannot_rewind(struct session *session);

/* session_job.c */
void session_pick(struct session *session); /* what is next in the queue */
void session_admit(struct session *session);
void session_start(struct session *session);
void session_interrupt_job(struct session *session);
void session_ask(struct session *session);
void session_pass_input(struct session *session);
void session_keep_input(struct session *session);
void session_drop(struct session *session);
void session_refuse_busy(struct session *session);
void session_recover_and_retry(struct session *session);
void session_replace_and_retry(struct session *session);
void session_refuse_broken(struct session *session);
void session_let_go(struct session *session); /* of the job, answered or not */

/* session_outcome.c */
void session_tidy(struct session *session);
void session_tidied(struct session *session);
void session_finish(struct session *session);
void session_finish_lost(struct session *session);

/* session_table.c: which of these is done when. */
extern const session_table session_steps;

#endif
