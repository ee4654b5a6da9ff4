/* sandbox_parts.h - the inside of a sandbox, for the sandbox_*.c files alone.
 *
 * sandbox_machine.c decides; the other files only do things and never call it: what
 * happens to them they report through sandboxes->report. Functions of the type
 * sandbox_action are what its table does. */
#ifndef VIVARIUM_SANDBOX_PARTS_H
#define VIVARIUM_SANDBOX_PARTS_H

#include <sys/socket.h>

#include "common/spawn.h"
#include "executor/sandbox/mounts.h"
#include "executor/sandbox/sandbox.h"
#include "executor/sandbox/sandbox_states.h"

enum {
	CHECKPOINTS_MAX = 16,
	STREAMS = 2,
	MEMBERS_MAX = 8192, /* processes of one: above what options.c allows, with ours */
};

/* A process that waits, or waited, in a seccomp notification. */
struct target {
	pid_t pid;      /* in the daemon's namespace; 0: none */
	int pidfd;
	uint64_t waits; /* the notification that it waits in; 0: it runs, or is on its way */
	/* A signal that cannot be blocked (SIGSTOP, the freezer) makes the call begin
	 * again, with a new notification: which one it was, and what was answered. */
	uint64_t serial, note;
	unsigned filters; /* that it has put on */
	int64_t order;  /* 0: not answered yet */
};

#define TARGET_NONE ((struct target){ .pidfd = -1 })

struct stream {
	struct loop_source source; /* reading end */
	struct sandbox *sandbox;
	enum sandbox_stream which;
	bool of_command;
	uint32_t received; /* bytes so far */
	uint32_t shift;    /* see sandbox_job.c */
	bool held; /* not watched for a while, the descriptor is open */
};

/* A shell command, see sandbox_command.c. */
struct command {
	pid_t inside; /* its id in the sandbox */
	int status;
	struct stream streams[STREAMS];
};

/* What was there before a command or a job, and is spared at its end: sandbox_sweep.c. */
struct earlier {
	pid_t *processes; /* in order */
	size_t count;
	unsigned long threads; /* of the interpreter */
};

struct sandbox {
	struct sandboxes *all;
	struct sandbox *next, **link; /* in the list of all */
	struct sandbox_owner owner;
	enum sandbox_state state;
	uint64_t moves; /* transitions so far: has an owner's callback made one? */
	struct loop_timer deadline; /* of the state */

	/* spawn and teardown */
	uint64_t cookie;     /* 0: no zygote owes an answer */
	uint64_t generation; /* of its zygote */
	struct zygote_pool *zygote_pool;
	int slot;
	struct limits limits;
	unsigned user;        /* which of its programs this is, from 0: it says their uid */
	pid_t user_inside;    /* the id of the last one's interpreter */
	struct cgroup *cgroup;
	struct cgroup_usage seen;
	uint64_t room; /* its cgroup's process limit now */
	struct workspace workspace;
	struct workspace_mark untouched;
	bool clear_workspace; /* when it goes back */
	struct mailbox *mailbox;
	size_t payload_length; /* of what was put there */
	int mailbox_fd, init_end; /* until init has them: the mailbox, its end of the socket */
	int shared;     /* its workspace as the application sees it, once asked for */
	struct ucred shared_with;
	struct offload_task task; /* one at a time */
	bool task_out;
	const char *step; /* of the offloaded task: what it did last, and how that went */
	int error;

	/* init */
	struct loop_source init; /* socket */
	struct loop_source life; /* pidfd */
	pid_t init_pid;
	bool init_dead;          /* not reaped yet */

	/* the program */
	struct loop_source listener;
	unsigned chatter;         /* notifications that meant nothing, or showed something */
	struct loop_timer deaf;   /* there were many: not listening */
	pid_t interpreter_inside; /* its id in the sandbox */
	struct target interpreter;
	struct target original;   /* whose fork the interpreter is; pid 0: it is none */
	pid_t original_inside;
	pid_t last_fork; /* the id of its last fork, inside */
	bool fork_marked;
	struct target checkpoints[CHECKPOINTS_MAX]; /* oldest first */
	size_t checkpoint_count;
	bool checkpointed;
	struct loop_timer sweep;
	struct loop_timer rest;        /* until it is looked at whether something goes on */
	uint64_t held_permille;        /* of a CPU, while it rests; 0: it is not held */

	/* standard descriptors */
	bool stdio_intact, stdin_given;
	bool watched; /* its job is: MAILBOX_STREAMING */
	bool held;    /* what it writes is not read for a while */
	bool display_held; /* and it does not go on after what it has shown */
	struct stream streams[STREAMS];
	struct loop_source feeder; /* writing end of stdin */
	uint8_t *feed;
	size_t feed_length, feed_done;
	struct command command;

	uint64_t file_bytes; /* that were put into its workspace and may be there yet */
	struct incoming *incoming;

	struct earlier earlier;
	bool ended_processes, left_threads; /* the last sandbox_tidy() */
	unsigned looks; /* of it, at threads that may be about to end */
};

struct sandboxes {
	struct sandboxes_config config;
	int (*report)(struct sandbox *sandbox, const struct happening *what);
	struct sandbox *first;
	size_t count;
	uint64_t cookies;
	struct loop_timer watch; /* over the text of watched jobs */
	struct loop_timer settle; /* after the last teardown */
	struct offload_task trim; /* of its cgroups; out while trimming */
	bool trimming;
	uint64_t last_end_us;     /* of a sandbox; 0: none since the last trim */
	size_t held;             /* to a share of the CPU, because they rest */
	uint64_t held_permille;  /* each */
	uint64_t file_bytes;     /* of all, those on their way included */
};

/* sandbox_rest.c: it has all of its CPU again; for good if it is torn down. */
void sandbox_end_rest(struct sandbox *sandbox);

/* Is there more than our own tasks? Those are init, the waiting interpreter and the
 * checkpoints, one thread each. Yes also where nobody can tell. */
static inline bool sandbox_has_others(const struct sandbox *sandbox)
{
	long tasks = cgroup_count_tasks(sandbox->cgroup);

	return tasks < 0 || (size_t)tasks > 2 + sandbox->checkpoint_count;
}

/* Tell the machine. */
static inline void sandbox_report(struct sandbox *sandbox, const struct happening *what)
{
	(void)sandbox->all->report(sandbox, what);
}

/* -- sandbox_spawn.c: how one comes to be; each step leads to the next event ---------- */

struct sandbox *sandbox_new(struct sandboxes *all, struct zygote_pool *zygote_pool,
			    const struct sandbox_owner *owner, int slot);
sandbox_action spawn_ask_zygote, spawn_map_ids, spawn_enter;

/* A task beside the loop; ON_TASK_DONE or ON_TASK_FAILED follows, by step and error. */
void sandbox_send_task(struct sandbox *sandbox, struct offload *offload,
		       void (*run)(struct offload_task *task));

/* -- sandbox_room.c: whose uid, how much room ----------------------------------------- */

uid_t sandbox_uid(const struct sandbox *sandbox);
uid_t sandbox_init_uid(const struct sandbox *sandbox);
/* The limits of its cgroup when its program has these. */
struct cgroup_limits sandbox_group_limits(const struct sandbox *sandbox,
					  const struct limits *limits);
uint64_t sandbox_process_rlimit(const struct sandbox *sandbox);
/* Let its cgroup have the program's processes, ours, and `more`. 0 or -errno. */
int sandbox_make_room(struct sandbox *sandbox, unsigned more);
int sandbox_forbid_forks(struct sandbox *sandbox);

/* -- sandbox_files.c: what others put into its workspace ------------------------------- */

/* Files are memory too, also those that its group is not charged with. */
uint64_t sandbox_memory_beside_files(const struct sandbox *sandbox, const struct limits *limits);
/* The program may have removed some. */
void sandbox_recount_files(struct sandbox *sandbox);
void sandbox_forget_files(struct sandbox *sandbox);

/* -- sandbox_init.c: its socket and its life ------------------------------------------- */

int sandbox_ask_init(struct sandbox *sandbox, enum init_op op, pid_t pid, const int *fds,
		     size_t count);
int sandbox_watch_init(struct sandbox *sandbox, pid_t pid, int pidfd);
/* Let init tell of the interpreter's death too. */
int sandbox_watch_interpreter(struct sandbox *sandbox);

/* -- notify.c: the seccomp notification -------------------------------------------------- */

struct notification {
	uint64_t id;   /* to answer it */
	pid_t pid;     /* the thread that sent it, in the daemon's pid namespace */
	uint64_t note; /* enum note; HOSTILE: any process of the sandbox can send one */
	uint64_t flags;
	bool adds_filter; /* it is not the interpreter's call, but asks for a seccomp filter */
	uint64_t serial; /* the same again: the call was interrupted and has begun anew */
};

/* Take the next one. 1, 0 if there is none (any more), or -errno. */
int notify_receive(int listener, struct notification *ret_notification);

/* Is its sender still waiting in it? */
int notify_valid(int listener, uint64_t id);

/* Put a copy of `fd` into its sender, as descriptor `number` there. 0 or -errno. */
int notify_give_fd(int listener, uint64_t id, int fd, int number);

/* Let the call return `value`. 0, or -errno (-ENOENT: the sender is dead, or has been
 * interrupted and will send another). */
int notify_answer(int listener, uint64_t id, int64_t value);

/* Let the call be made after all; or refuse it with EPERM. 0 or -errno. */
int notify_let(int listener, uint64_t id);
int notify_refuse(int listener, uint64_t id);

/* -- sandbox_notification.c: who waits in what ------------------------------------------- */

sandbox_action program_listen, program_accept, program_adopt_interpreter, program_is_idle;
/* Take the sender of `note` as a target; OTHERWISE if it is gone already. */
int target_adopt(struct sandbox *sandbox, const struct notification *note, struct target *target);
/* It is in this notification now. */
void target_accept(struct target *target, const struct notification *note);
/* It goes on with this order, at once or when it begins its call again. 0; -ENOENT: it is
 * dead, which init tells; -errno. */
int target_answer(struct sandbox *sandbox, struct target *target, int64_t order);
bool target_is_alive(const struct target *target);
void target_kill(const struct target *target);
/* How early the kernel ends it when memory is short (spawn.h). */
void target_score(const struct target *target, int oom_score_adj);
void target_forget(struct target *target);

/* -- sandbox_job.c -------------------------------------------------------------------------- */

/* Let it go on after a display; when it is held, once that ends. */
void job_go_on(struct sandbox *sandbox);
sandbox_action job_start, job_give_input, job_drain, job_finish, job_drain_last, job_leftovers;
/* A copy of what the mailbox's report area holds, HOSTILE, for the caller to free; NULL where
 * it is longer than `most`. */
int job_copy_report(struct sandbox *sandbox, size_t most, uint8_t **ret_report, size_t *ret_length);
/* The job is over: nobody needs a large payload any more. */
void job_give_payload_back(struct sandbox *sandbox);

/* -- sandbox_stdio.c -------------------------------------------------------------------------- */

int sandbox_give_stdio(struct sandbox *sandbox);
int sandbox_give_stdin(struct sandbox *sandbox, const void *bytes, size_t length);
void sandbox_close_stdio(struct sandbox *sandbox);
void sandbox_close_feeder(struct sandbox *sandbox);
int sandbox_open_stream(struct sandbox *sandbox, struct stream *stream, enum sandbox_stream which,
			int *ret_end);
void sandbox_hold_streams(struct sandbox *sandbox, bool hold);
void sandbox_drain_stream(struct stream *stream, bool deliver);
void sandbox_close_stream(struct stream *stream);
int sandbox_open_input(struct sandbox *sandbox, const void *bytes, size_t length, int *ret_end);

/* all that has been printed */
void sandbox_drain(struct sandbox *sandbox, bool deliver); /* or it is thrown away */
void sandbox_begin_text(struct sandbox *sandbox, bool watched); /* a job begins */

/* -- sandbox_command.c ------------------------------------------------------------------------- */

sandbox_action command_start, command_started, command_kill, command_ended, command_note_end,
	command_finish, command_note_and_finish;

/* -- sandbox_sweep.c: killing all but ours ------------------------------------------------------ */

/* A command begins: who is there already is spared at its end. 0 or -errno. */
int sweep_note_others(struct sandbox *sandbox);
void sweep_forget_others(struct sandbox *sandbox);
/* sandbox_tidy(): begun; all that can be killed is dead. OTHERWISE: the interpreter too. */
sandbox_action tidy_begin, tidy_finish;
/* Forbid forks and kill until none is left: ON_SWEPT follows. 0 or -errno. */
int sweep_begin(struct sandbox *sandbox);

/* -- sandbox_copies.c: checkpoints and going back to them; jobs in forks of the interpreter --- */

sandbox_action checkpoint_make, checkpoint_keep, checkpoint_keep_and_idle, restore_begin,
	restore_clear, restore_resume, restore_failed;

sandbox_action fork_begin, fork_adopt, fork_adopt_and_idle, fork_original_is_ready,
	fork_original_is_ready_and_idle, fork_none, fork_kill, fork_join, fork_gone, fork_swept;

/* -- sandbox_renew.c: the next program ----------------------------------------------------------- */

sandbox_action renew_begin, renew_prove, renew_listen;

/* -- sandbox_teardown.c ----------------------------------------------------------------------------- */

/* OTHERWISE when all has come home, and the taking apart has begun. */
sandbox_action teardown_kill, teardown_kill_late, teardown_if_home, teardown_give_up_spawn;
void sandboxes_discard_init(pid_t pid, int pidfd); /* one that nobody waits for any more */
/* It is freed. */
void teardown_finish(struct sandbox *sandbox, const struct happening *what);

#endif
