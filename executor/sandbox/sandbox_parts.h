/* sandbox_parts.h - the inside of a sandbox, for the sandbox_*.c files alone. */
#ifndef VIVARIUM_SANDBOX_PARTS_H
#define VIVARIUM_SANDBOX_PARTS_H

#include <sys/socket.h>

#include "common/spawn.h"
#include "executor/sandbox/mounts.h"
#include "executor/sandbox/sandbox.h"

enum sandbox_phase {
	SANDBOX_WAITS_FOR_SPAWN,
	SANDBOX_SETS_UP,  /* until the interpreter first rings */
	SANDBOX_IDLE,     /* the interpreter waits, interpreter.ring is set */
	SANDBOX_BUSY,     /* a job runs */
	SANDBOX_ASKS,     /* the job waits for input */
	SANDBOX_COMMANDED, /* a shell command runs, the interpreter waits */
	SANDBOX_FREEZES,  /* a checkpoint is being made */
	SANDBOX_SWEEPS,   /* the program is being killed, to go back */
	SANDBOX_RETURNS,  /* a checkpoint, or a fresh interpreter, has been started */
	SANDBOX_FORKS,    /* the interpreter makes the fork that does the next job */
	SANDBOX_JOINS,    /* the fork is being killed; the interpreter is the next */
	SANDBOX_DIES,
};

enum {
	CHECKPOINTS_MAX = 16,
	STREAMS = 2,
	MEMBERS_MAX = 8192, /* processes of one: above what options.c allows, with ours */
};

/* A process that rings, or rang, the seccomp notification. */
struct ringer {
	pid_t pid;     /* in the daemon's namespace; 0: none */
	int pidfd;
	uint64_t ring; /* the notification it waits in; 0: it runs */
};

struct stream {
	struct loop_source source; /* reading end */
	struct sandbox *sandbox;
	enum sandbox_stream which;
	bool of_command;
};

/* A shell command, see sandbox_command.c. */
struct command {
	pid_t inside; /* its id in the sandbox */
	int status;
	bool ended;   /* its first process has */
	bool swept;   /* and what it started is gone */
	bool killed;  /* sweeping has begun */
	struct stream streams[STREAMS];
	pid_t *before; /* processes that are not its own, in order */
	size_t before_count;
};

struct sandbox {
	struct sandboxes *all;
	struct zygote_pool *zygote_pool; /* it is forked from one of these */
	struct sandbox *next, **link; /* in the list of all */
	struct sandbox_owner owner;
	enum sandbox_phase phase;
	uint64_t cookie, generation;
	int slot;
	struct limits limits;

	struct cgroup *cgroup;
	struct cgroup_usage seen;
	struct workspace workspace;
	struct workspace_mark untouched;
	struct mailbox *mailbox;
	int mailbox_fd; /* until init has it */
	int shared;     /* its workspace as the application sees it, once asked for */
	struct ucred shared_with;
	int procfs;     /* init's offer, until it is used */

	struct offload_task task; /* one at a time */
	bool task_out;
	const char *step; /* of the offloaded task: what it did last, and how that went */
	int error;
	bool placed;      /* init is in its cgroup and has its ids */
	bool init_dead; /* not reaped yet */

	struct loop_source init; /* socket */
	struct loop_source life;   /* init's pidfd */
	struct loop_source listener;
	struct loop_timer timer;   /* spawn takes too long; sweeping; teardown */
	pid_t init_pid;
	pid_t interpreter_inside;  /* its id in the sandbox */
	struct ringer interpreter;
	struct ringer original;    /* whose fork the interpreter is; pid 0: it is none */
	pid_t original_inside;
	pid_t last_fork; /* the id of its last fork, inside */
	bool fork_marked;
	struct ringer checkpoints[CHECKPOINTS_MAX]; /* oldest first */
	size_t checkpoint_count;
	bool awaits_frozen, awaits_ready; /* while FREEZES or FORKS */
	bool checkpointed;
	bool clear_workspace; /* when it goes back */
	bool stdio_intact, stdin_given;
	bool watched; /* its job is: MAILBOX_STREAMING */
	unsigned sweeps;

	struct stream streams[STREAMS];
	struct loop_source feeder; /* writing end of stdin */
	uint8_t *feed;
	size_t feed_length, feed_done;
	struct command command;
};

struct sandboxes {
	struct sandboxes_config config;
	struct sandbox *first;
	size_t count;
	uint64_t cookies;
	struct loop_timer watch; /* over the text of watched jobs */
};

/* sandbox.c: send init a request; 0 or -errno. Read what it sends. */
int sandbox_ask_init(struct sandbox *sandbox, enum init_op op, pid_t pid, const int *fds,
		       size_t count);
int sandbox_watch_init(struct sandbox *sandbox);

/* sandbox.c: the running job shows something; waits for input. */
void sandbox_on_display(struct sandbox *sandbox);
void sandbox_on_input(struct sandbox *sandbox, bool password);

/* sandbox_birth.c: the program's uid on the host; the limits of its cgroup when its program has these; the
 * init's procfs context (taken over). */
uid_t sandbox_uid(const struct sandbox *sandbox);
struct cgroup_limits sandbox_group_limits(const struct sandbox *sandbox,
					  const struct limits *limits);
uint64_t sandbox_process_rlimit(const struct sandbox *sandbox);
void sandbox_offer_procfs(struct sandbox *sandbox, int context);

/* sandbox_end.c: something has gone wrong on our side, tell the owner; the
 * init's pidfd (taken over) is watched; init is killed; what is dead and
 * free of offloaded tasks is taken apart; an init that nobody wants. */
void sandbox_fail(struct sandbox *sandbox, const char *step, int error);
int sandbox_watch_life(struct sandbox *sandbox, int pidfd);
void sandbox_end_init(struct sandbox *sandbox);
void sandbox_teardown_if_dead(struct sandbox *sandbox);
void sandbox_discard_init(pid_t pid, int pidfd);

/* sandbox_bell.c: read what rang; who rang becomes `ringer`, 0 or -errno. */
struct notification;
void sandbox_on_ring(struct loop_source *source, uint32_t events);
int ringer_adopt(struct sandbox *sandbox, const struct notification *ring, struct ringer *ringer);
void ringer_forget(struct ringer *ringer);

/* sandbox_stdio.c */
int sandbox_give_stdio(struct sandbox *sandbox);
int sandbox_give_stdin(struct sandbox *sandbox, const void *bytes, size_t length);
void sandbox_close_stdio(struct sandbox *sandbox);
void sandbox_close_feeder(struct sandbox *sandbox);

int sandbox_open_stream(struct sandbox *sandbox, struct stream *stream, enum sandbox_stream which,
			int *ret_end);
void sandbox_drain_stream(struct stream *stream, bool deliver);
void sandbox_close_stream(struct stream *stream);
int sandbox_open_input(struct sandbox *sandbox, const void *bytes, size_t length, int *ret_end);

/* sandbox_text.c: all that has been printed, or thrown away; a job begins, and somebody
 * watches it or not. */
void sandbox_drain(struct sandbox *sandbox, bool deliver);
void sandbox_watch_text(struct sandbox *sandbox, bool watched);

/* sandbox_command.c: what init tells of it, and the sweep. */
void sandbox_command_started(struct sandbox *sandbox, pid_t inside);
void sandbox_command_ended(struct sandbox *sandbox, int status);
void sandbox_command_swept(struct sandbox *sandbox);
bool sandbox_command_keeps(const struct sandbox *sandbox, pid_t pid);

/* sandbox_return.c: begin to kill the program, then go back. The newest of the
 * sandbox's processes to have rung is watched by init from now on. */
void sandbox_on_sweep(struct loop_timer *timer);
int sandbox_watch_interpreter(struct sandbox *sandbox);

/* sandbox_fork.c: what rang while it forks; who has died; the sweep is over. */
void sandbox_fork_rang(struct sandbox *sandbox, const struct notification *ring);
void sandbox_fork_died(struct sandbox *sandbox);
void sandbox_fork_swept(struct sandbox *sandbox);

#endif
