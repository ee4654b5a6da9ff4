/* sandbox_states.h - the states of a sandbox and what can happen to it. The table of
 * both is in sandbox_machine.c, its picture in docs/ARCHITECTURE.md. */
#ifndef VIVARIUM_SANDBOX_STATES_H
#define VIVARIUM_SANDBOX_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notification;
struct sandbox;
struct sandbox_job;

/* The first is the one that a calloc()ed sandbox is in. */
enum sandbox_state {
	SANDBOX_MAKES,   /* its parts are being made, beside the loop */
	SANDBOX_SPAWNS,  /* a zygote has been asked for its init */
	SANDBOX_PLACED,  /* init has its ids, and is to offer its procfs */
	SANDBOX_STARTS,  /* an interpreter starts, or a checkpoint wakes */
	SANDBOX_IDLE,    /* the interpreter waits for a job */
	SANDBOX_BUSY,    /* a job runs */
	SANDBOX_ASKS,    /* the job waits for input */
	SANDBOX_DEAD,    /* the interpreter is dead, or as good as dead; the owner knows */
	SANDBOX_COMMANDED,      /* a shell command runs, the interpreter waits */
	SANDBOX_COMMAND_KILLED, /* it is being killed with all that it started */
	SANDBOX_COMMAND_SWEPT,  /* all are dead; init has not told how the command ended */
	SANDBOX_COMMAND_ENDED,  /* the command has ended, what it left is being killed */
	SANDBOX_TIDIES, /* what a job has left is being killed */
	SANDBOX_FREEZES,      /* a checkpoint is made: copy and interpreter are awaited */
	SANDBOX_FREEZES_COPY, /* only the copy */
	SANDBOX_FREEZES_SELF, /* only the interpreter */
	SANDBOX_FORKS,      /* a fork that does the next job is made: it and its original */
	SANDBOX_FORKS_COPY, /* only the fork is awaited */
	SANDBOX_FORKS_SELF, /* only its original */
	SANDBOX_JOINS,       /* the fork has been killed */
	SANDBOX_JOIN_SWEEPS, /* what it left is being killed */
	SANDBOX_SWEEPS, /* the program is being killed, to go back */
	SANDBOX_CLEARS, /* its workspace is being emptied, beside the loop */
	SANDBOX_EXPIRES, /* the program is being killed, to make room for another */
	SANDBOX_RENEWS,  /* the interpreter for that starts */
	/* From here on nothing but the end can be reached. */
	SANDBOX_FAILED, /* the owner has been told, and must kill it */
	SANDBOX_DIES,   /* killed: until all that is out has come home */
	SANDBOX_TEARS,  /* is being taken apart, beside the loop */
	SANDBOX_STATES,
};

enum sandbox_event {
	/* What the owner asks for. Refused (-EBUSY) where the table has nothing. */
	ON_START,
	ON_GIVE_INPUT,
	ON_COMMAND,
	ON_KILL_COMMAND,
	ON_TIDY,
	ON_CHECKPOINT,
	ON_FORK,
	ON_JOIN,
	ON_RESTORE,
	ON_RENEW,
	ON_KILL,
	/* What a process of the program says, HOSTILE. Ignored where the table has nothing:
	 * whoever said it waits until it is killed. */
	ON_READY,            /* the interpreter waits for a job */
	ON_NO_COPY,          /* the same, and has made no copy */
	ON_DONE,             /* its job is over */
	ON_DISPLAY,          /* its job shows something */
	ON_INPUT,            /* its job waits for input */
	ON_ORIGINAL_READY,   /* that of which the interpreter is a fork */
	ON_ORIGINAL_NO_COPY, /* it has made no fork */
	ON_STRANGER_READY,   /* a process that is none of these */
	ON_STRANGER_FROZEN,
	/* What our own parts tell: an error that ends the sandbox where the table has nothing. */
	ON_TASK_DONE, /* beside the loop */
	ON_SPAWNED,   /* by the zygote */
	ON_OFFERED,   /* init's procfs */
	ON_LISTENING, /* the listener of a new interpreter */
	ON_COMMAND_STARTED,
	ON_COMMAND_REFUSED, /* no process could be forked for it */
	ON_COMMAND_ENDED,
	ON_INTERPRETER_DIED,
	ON_ORIGINAL_DIED,
	ON_SWEPT, /* all that was to be killed is dead */
	ON_LATE,  /* the state's deadline is over */
	/* What ends it in any state. */
	ON_TASK_FAILED,
	ON_SPAWN_FAILED,
	ON_INIT_DIED,
	ON_BROKEN, /* anything else */
	SANDBOX_EVENTS,
};

/* One of them, with what belongs to it. */
struct happening {
	enum sandbox_event event;
	const struct notification *note; /* what a process says */
	int *fd;          /* offered, to listen to: taken over by setting it to -1 */
	int32_t pid;      /* spawned: init's; started, listening: inside */
	int32_t status;   /* died, ended: as wait(2) gives it */
	uint64_t generation; /* spawned: of its zygote */
	int error;        /* failures: -errno */
	const char *step; /* failures: what could not be done */
	/* calls */
	const struct sandbox_job *job;
	const void *bytes;
	size_t length, count;
	bool eof, *ret_fresh;
};

/* What the table does: 0; OTHERWISE for its other state; -errno, which is what a call
 * returns, and ends the sandbox on any other event. */
enum { OTHERWISE = 1 };
typedef int sandbox_action(struct sandbox *sandbox, const struct happening *what);

/* Make something happen to a sandbox. For calls 0 or -errno, else 0. It may be freed
 * by it, on ON_TASK_DONE. */
int sandbox_dispatch(struct sandbox *sandbox, const struct happening *what);

/* How long it may be in a state, 0: no matter; what could not be done then. */
uint64_t sandbox_deadline_ms(enum sandbox_state state);
const char *sandbox_lateness(enum sandbox_state state);

const char *sandbox_state_name(enum sandbox_state state);
const char *sandbox_event_name(enum sandbox_event event);

#endif
