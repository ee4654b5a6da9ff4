/* The life of a sandbox: one table that says, for each state and each event, what is
 * done, which state comes next, and what the owner is told then. A picture of it is in
 * docs/ARCHITECTURE.md. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/log.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

struct transition {
	enum { BY_DEFAULT, GOES, IS_IGNORED } kind;
	sandbox_action *act;
	enum sandbox_state next;
	void (*tell)(struct sandbox *sandbox, const struct happening *what);
	/* The same, when the action returns OTHERWISE. */
	enum sandbox_state otherwise;
	void (*tell_otherwise)(struct sandbox *sandbox, const struct happening *what);
	const char *step; /* in the log, if the action fails: "cannot ..." */
};

/* clang-format off */
#define GO(...) { .kind = GOES, __VA_ARGS__ }
#define IGNORE { .kind = IS_IGNORED }
/* clang-format on */

/* -- what the owner is told, last of all: it may do anything then --------------------- */

static void tell_idle(struct sandbox *sandbox, const struct happening *what)
{
	bool refused = what->note && what->note->flags & NOTE_REFUSED;

	if (refused && sandbox->owner.refused)
		sandbox->owner.refused(sandbox->owner.context, sandbox);
	if (sandbox->state == SANDBOX_IDLE && sandbox->owner.idle)
		sandbox->owner.idle(sandbox->owner.context, sandbox);
}

static void tell_done(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (sandbox->owner.done)
		sandbox->owner.done(sandbox->owner.context, sandbox);
}

static void tell_died(struct sandbox *sandbox, const struct happening *what)
{
	bool known = what->event == ON_INTERPRETER_DIED;

	sandbox->owner.died(sandbox->owner.context, sandbox, known ? what->status : SIGKILL);
}

static void tell_command_died(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	sandbox->owner.died(sandbox->owner.context, sandbox, sandbox->command.status);
}

static void tell_command_refused(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (sandbox->owner.refused)
		sandbox->owner.refused(sandbox->owner.context, sandbox);
}

static void tell_display(struct sandbox *sandbox, const struct happening *what)
{
	uint64_t moves = sandbox->moves;
	AUTO_FREE uint8_t *text = NULL;
	size_t length = 0;

	(void)what;
	if (sandbox->owner.display &&
	    !job_copy_report(sandbox, sandbox->owner.display_room(sandbox->owner.context), &text,
			     &length))
		sandbox->owner.display(sandbox->owner.context, sandbox, text, length);
	if (sandbox->moves == moves)
		job_go_on(sandbox);
}

static void tell_input(struct sandbox *sandbox, const struct happening *what)
{
	AUTO_FREE uint8_t *prompt = NULL;
	size_t length = 0;

	if (!sandbox->owner.input || job_copy_report(sandbox, MAILBOX_REPORT_MAX, &prompt, &length))
		(void)sandbox_dispatch(sandbox,
				       &(struct happening){ .event = ON_GIVE_INPUT, .eof = true });
	else
		sandbox->owner.input(sandbox->owner.context, sandbox, prompt, length,
				     what->note->flags & NOTE_PASSWORD);
}

static void tell_failed(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	sandbox->owner.failed(sandbox->owner.context, sandbox);
}

/* -- the table -------------------------------------------------------------------------- */

#define STARTS_KILLING GO(restore_begin, SANDBOX_SWEEPS)
/* Idle, unless it has just begun its call again: then it says so once more. */
#define BECOMES_IDLE(act, state)                                                                   \
	GO(act, SANDBOX_IDLE, tell_idle, state, .step = "give the standard descriptors")
#define IS_DEAD GO(job_leftovers, SANDBOX_DEAD, tell_died)
#define GIVES_UP GO(NULL, SANDBOX_DEAD, tell_died)

/* What a job that runs, or waits for input, can say or meet. A signal ends the wait for
 * input, so that the same can be said from there. */
#define OF_A_JOB(state)                                                                            \
	[ON_DONE] = GO(job_finish, SANDBOX_IDLE, tell_done),                                       \
	[ON_DISPLAY] = GO(job_drain, SANDBOX_BUSY, tell_display),                                  \
	[ON_INPUT] = GO(job_drain, SANDBOX_ASKS, tell_input),                                      \
	[ON_INTERPRETER_DIED] = GO(job_drain_last, SANDBOX_DEAD, tell_died),                       \
	[ON_ORIGINAL_DIED] = GO(NULL, state), [ON_JOIN] = GO(fork_kill, SANDBOX_JOINS),            \
	[ON_RESTORE] = STARTS_KILLING

static const struct transition table[SANDBOX_STATES][SANDBOX_EVENTS] = {
	[SANDBOX_MAKES] = {
		[ON_TASK_DONE] = GO(spawn_ask_zygote, SANDBOX_SPAWNS, .step = "ask a zygote for it"),
	},
	[SANDBOX_SPAWNS] = {
		[ON_SPAWNED] = GO(spawn_map_ids, SANDBOX_PLACED, .step = "map its ids"),
	},
	[SANDBOX_PLACED] = {
		[ON_OFFERED] = GO(spawn_enter, SANDBOX_STARTS, .step = "give it its mounts"),
	},
	[SANDBOX_STARTS] = {
		[ON_LISTENING] = GO(program_listen, SANDBOX_STARTS,
				    .step = "listen to its interpreter"),
		[ON_STRANGER_READY] = BECOMES_IDLE(program_adopt_interpreter, SANDBOX_STARTS),
		[ON_READY] = BECOMES_IDLE(program_is_idle, SANDBOX_STARTS),
		[ON_INTERPRETER_DIED] = GO(restore_failed, SANDBOX_STARTS,
					   .step = "start its interpreter"),
	},
	[SANDBOX_IDLE] = {
		[ON_START] = GO(job_start, SANDBOX_BUSY),
		[ON_COMMAND] = GO(command_start, SANDBOX_COMMANDED),
		[ON_TIDY] = GO(tidy_begin, SANDBOX_TIDIES),
		[ON_CHECKPOINT] = GO(checkpoint_make, SANDBOX_FREEZES),
		[ON_FORK] = GO(fork_begin, SANDBOX_FORKS),
		[ON_JOIN] = GO(fork_kill, SANDBOX_JOINS),
		[ON_RESTORE] = STARTS_KILLING,
		[ON_RENEW] = GO(renew_begin, SANDBOX_EXPIRES),
		[ON_INTERPRETER_DIED] = IS_DEAD,
		[ON_ORIGINAL_DIED] = GO(NULL, SANDBOX_IDLE),
	},
	[SANDBOX_BUSY] = { OF_A_JOB(SANDBOX_BUSY) },
	[SANDBOX_ASKS] = {
		OF_A_JOB(SANDBOX_ASKS),
		[ON_GIVE_INPUT] = GO(job_give_input, SANDBOX_BUSY),
	},
	[SANDBOX_DEAD] = {
		[ON_JOIN] = GO(fork_join, SANDBOX_JOIN_SWEEPS),
		[ON_RESTORE] = STARTS_KILLING,
		[ON_INTERPRETER_DIED] = IGNORE, /* it was as good as that */
		[ON_ORIGINAL_DIED] = GO(NULL, SANDBOX_DEAD),
	},
	[SANDBOX_COMMANDED] = {
		[ON_COMMAND_STARTED] = GO(command_started, SANDBOX_COMMANDED),
		[ON_COMMAND_REFUSED] = GO(command_ended, SANDBOX_COMMAND_ENDED,
					  tell_command_refused, .step = "end a command"),
		[ON_COMMAND_ENDED] = GO(command_ended, SANDBOX_COMMAND_ENDED,
					.step = "end a command"),
		[ON_KILL_COMMAND] = GO(command_kill, SANDBOX_COMMAND_KILLED),
		[ON_INTERPRETER_DIED] = GO(job_leftovers, SANDBOX_COMMANDED),
	},
	[SANDBOX_COMMAND_KILLED] = {
		[ON_COMMAND_STARTED] = GO(command_started, SANDBOX_COMMAND_KILLED),
		[ON_COMMAND_REFUSED] = GO(command_note_end, SANDBOX_COMMAND_ENDED),
		[ON_COMMAND_ENDED] = GO(command_note_end, SANDBOX_COMMAND_ENDED),
		[ON_SWEPT] = GO(NULL, SANDBOX_COMMAND_SWEPT),
		[ON_KILL_COMMAND] = IGNORE,
		[ON_INTERPRETER_DIED] = GO(job_leftovers, SANDBOX_COMMAND_KILLED),
	},
	[SANDBOX_COMMAND_SWEPT] = {
		[ON_COMMAND_STARTED] = GO(command_started, SANDBOX_COMMAND_SWEPT),
		[ON_COMMAND_REFUSED] = GO(command_note_and_finish, SANDBOX_IDLE, tell_command_died,
					  SANDBOX_DEAD,
			tell_command_died, "go on after a command"),
		[ON_COMMAND_ENDED] = GO(command_note_and_finish, SANDBOX_IDLE, tell_command_died,
					SANDBOX_DEAD,
			tell_command_died, "go on after a command"),
		[ON_KILL_COMMAND] = IGNORE,
		[ON_INTERPRETER_DIED] = GO(job_leftovers, SANDBOX_COMMAND_SWEPT),
	},
	[SANDBOX_COMMAND_ENDED] = {
		[ON_SWEPT] = GO(command_finish, SANDBOX_IDLE, tell_command_died, SANDBOX_DEAD,
			tell_command_died, "go on after a command"),
		[ON_KILL_COMMAND] = IGNORE,
		[ON_INTERPRETER_DIED] = GO(job_leftovers, SANDBOX_COMMAND_ENDED),
	},
	[SANDBOX_TIDIES] = {
		[ON_SWEPT] = GO(tidy_finish, SANDBOX_IDLE, tell_idle, SANDBOX_DEAD, tell_died,
				"go on after a job"),
		[ON_INTERPRETER_DIED] = GO(job_leftovers, SANDBOX_TIDIES),
	},
	[SANDBOX_FREEZES] = {
		[ON_READY] = GO(program_accept, SANDBOX_FREEZES_COPY),
		[ON_NO_COPY] = BECOMES_IDLE(program_is_idle, SANDBOX_FREEZES),
		[ON_STRANGER_FROZEN] = GO(checkpoint_keep, SANDBOX_FREEZES_SELF,
					  .otherwise = SANDBOX_FREEZES),
		[ON_INTERPRETER_DIED] = IS_DEAD,
		[ON_LATE] = GIVES_UP, /* the owner goes back to the last checkpoint */
		[ON_RESTORE] = STARTS_KILLING,
	},
	[SANDBOX_FREEZES_COPY] = {
		[ON_STRANGER_FROZEN] = BECOMES_IDLE(checkpoint_keep_and_idle, SANDBOX_FREEZES_COPY),
		[ON_INTERPRETER_DIED] = IS_DEAD,
		[ON_LATE] = BECOMES_IDLE(program_is_idle, SANDBOX_FREEZES_COPY),
		[ON_RESTORE] = STARTS_KILLING,
	},
	[SANDBOX_FREEZES_SELF] = {
		[ON_READY] = BECOMES_IDLE(program_is_idle, SANDBOX_FREEZES_SELF),
		[ON_NO_COPY] = BECOMES_IDLE(program_is_idle, SANDBOX_FREEZES_SELF),
		[ON_INTERPRETER_DIED] = IS_DEAD,
		[ON_LATE] = GIVES_UP,
		[ON_RESTORE] = STARTS_KILLING,
	},
	[SANDBOX_FORKS] = {
		[ON_ORIGINAL_READY] = GO(fork_original_is_ready, SANDBOX_FORKS_COPY),
		[ON_ORIGINAL_NO_COPY] = GO(fork_none, SANDBOX_IDLE, tell_idle),
		[ON_STRANGER_READY] = GO(fork_adopt, SANDBOX_FORKS_SELF, .otherwise = SANDBOX_FORKS),
		[ON_ORIGINAL_DIED] = GIVES_UP,
		[ON_LATE] = GIVES_UP, /* hooks of the program run at a fork: they may hang */
	},
	[SANDBOX_FORKS_COPY] = {
		[ON_STRANGER_READY] = GO(fork_adopt_and_idle, SANDBOX_IDLE, tell_idle,
					 SANDBOX_FORKS_COPY,
			.step = "watch its fork"),
		[ON_ORIGINAL_DIED] = GIVES_UP,
		[ON_LATE] = GIVES_UP,
	},
	[SANDBOX_FORKS_SELF] = {
		[ON_ORIGINAL_READY] = GO(fork_original_is_ready_and_idle, SANDBOX_IDLE, tell_idle,
					 .step = "watch its fork"),
		[ON_ORIGINAL_NO_COPY] = GIVES_UP,
		[ON_ORIGINAL_DIED] = GIVES_UP,
		[ON_LATE] = GIVES_UP,
	},
	[SANDBOX_JOINS] = {
		[ON_INTERPRETER_DIED] = GO(fork_gone, SANDBOX_IDLE, tell_idle, SANDBOX_JOIN_SWEEPS,
			.step = "go back to the original"),
		[ON_ORIGINAL_DIED] = GIVES_UP,
		[ON_LATE] = GIVES_UP,
	},
	[SANDBOX_JOIN_SWEEPS] = {
		[ON_SWEPT] = GO(fork_swept, SANDBOX_IDLE, tell_idle, SANDBOX_DEAD, tell_died,
				"go back to the original"),
		[ON_ORIGINAL_DIED] = GIVES_UP,
	},
	[SANDBOX_SWEEPS] = {
		[ON_SWEPT] = GO(restore_clear, SANDBOX_CLEARS, NULL, SANDBOX_STARTS,
			.step = "go back"),
	},
	[SANDBOX_CLEARS] = {
		[ON_TASK_DONE] = GO(restore_resume, SANDBOX_STARTS, .step = "go back"),
	},
	[SANDBOX_EXPIRES] = {
		[ON_INTERPRETER_DIED] = GO(renew_prove, SANDBOX_RENEWS, NULL, SANDBOX_DEAD,
			tell_died, "renew it"),
		[ON_LATE] = GIVES_UP,
	},
	[SANDBOX_RENEWS] = {
		[ON_LISTENING] = GO(renew_listen, SANDBOX_RENEWS, NULL, SANDBOX_DEAD,
			tell_died, "listen to its interpreter"),
		[ON_STRANGER_READY] = BECOMES_IDLE(program_adopt_interpreter, SANDBOX_RENEWS),
		[ON_READY] = BECOMES_IDLE(program_is_idle, SANDBOX_RENEWS),
		[ON_INTERPRETER_DIED] = IS_DEAD,
	},
	[SANDBOX_FAILED] = {
		[ON_KILL] = GO(teardown_kill, SANDBOX_DIES, NULL, SANDBOX_TEARS),
	},
	[SANDBOX_DIES] = {
		[ON_TASK_DONE] = GO(teardown_if_home, SANDBOX_DIES, NULL, SANDBOX_TEARS),
		[ON_TASK_FAILED] = GO(teardown_if_home, SANDBOX_DIES, NULL, SANDBOX_TEARS),
		[ON_SPAWNED] = GO(teardown_kill_late, SANDBOX_DIES, NULL, SANDBOX_TEARS),
		[ON_SPAWN_FAILED] = GO(teardown_if_home, SANDBOX_DIES, NULL, SANDBOX_TEARS),
		[ON_INIT_DIED] = GO(teardown_if_home, SANDBOX_DIES, NULL, SANDBOX_TEARS),
		[ON_LATE] = GO(teardown_give_up_spawn, SANDBOX_DIES, NULL, SANDBOX_TEARS),
	},
	[SANDBOX_TEARS] = {
		[ON_TASK_DONE] = GO(NULL, SANDBOX_TEARS, teardown_finish),
	},
};

/* Where the table has nothing. What is 0 here cannot happen. */
static const struct transition defaults[SANDBOX_EVENTS] = {
	[ON_KILL] = GO(teardown_kill, SANDBOX_DIES, NULL, SANDBOX_TEARS),
	[ON_READY] = IGNORE,
	[ON_NO_COPY] = IGNORE,
	[ON_DONE] = IGNORE,
	[ON_DISPLAY] = IGNORE,
	[ON_INPUT] = IGNORE,
	[ON_ORIGINAL_READY] = IGNORE,
	[ON_ORIGINAL_NO_COPY] = IGNORE,
	[ON_STRANGER_READY] = IGNORE,
	[ON_STRANGER_FROZEN] = IGNORE,
};

/* -- going by it ------------------------------------------------------------------------- */

static bool is_call(enum sandbox_event event)
{
	return event <= ON_KILL;
}

static const struct transition *find(enum sandbox_state state, enum sandbox_event event)
{
	static const struct transition ignored = IGNORE, impossible = { BY_DEFAULT };
	const struct transition *found = &table[state][event];

	if (found->kind != BY_DEFAULT)
		return found;
	if (state >= SANDBOX_FAILED && !is_call(event))
		return &ignored;
	if (state > SANDBOX_FAILED && event == ON_KILL)
		return &ignored;
	return defaults[event].kind != BY_DEFAULT ? &defaults[event] : &impossible;
}

static void on_deadline(struct loop_timer *timer)
{
	(void)sandbox_dispatch(LOOP_OWNER(timer, struct sandbox, deadline),
			       &(struct happening){ .event = ON_LATE });
}

static void enter(struct sandbox *sandbox, enum sandbox_state state)
{
	struct loop *loop = sandbox->all->config.loop;

	sandbox->moves++;
	if (state == sandbox->state)
		return;
	sandbox->state = state;
	loop_clear_timer(loop, &sandbox->deadline);
	if (sandbox_deadline_ms(state) &&
	    loop_set_timer(loop, &sandbox->deadline,
			   loop_now_us() + sandbox_deadline_ms(state) * 1000, on_deadline))
		log_error("sandbox %d: no memory for a deadline", sandbox->slot);
}

static void fail(struct sandbox *sandbox, const char *step, int error)
{
	log_error("sandbox %d: cannot %s: %s", sandbox->slot, step, strerror(-error));
	sandbox->cookie = 0; /* an answer that comes yet is nobody's */
	enter(sandbox, SANDBOX_FAILED);
	tell_failed(sandbox, NULL);
}

/* What the table has no words for: failures, lateness, what cannot happen. */
static int end_by(struct sandbox *sandbox, const struct happening *what)
{
	if (is_call(what->event))
		return -EBUSY;
	if (what->event == ON_LATE) {
		fail(sandbox, sandbox_lateness(sandbox->state), -ETIMEDOUT);
	} else if (what->event >= ON_TASK_FAILED) {
		fail(sandbox, what->step, what->error);
	} else {
		log_error("sandbox %d: \"%s\" cannot happen in the state \"%s\"", sandbox->slot,
			  sandbox_event_name(what->event), sandbox_state_name(sandbox->state));
		fail(sandbox, "go on", -EPROTO);
	}
	return 0;
}

int sandbox_dispatch(struct sandbox *sandbox, const struct happening *what)
{
	const struct transition *found = find(sandbox->state, what->event);
	uint64_t moves = sandbox->moves;

	if (found->kind == IS_IGNORED)
		return 0;
	if (found->kind == BY_DEFAULT)
		return end_by(sandbox, what);
	int got = found->act ? found->act(sandbox, what) : 0;
	if (sandbox->moves != moves) /* an owner has had enough of what it was given */
		return 0;
	if (got < 0 && is_call(what->event))
		return got;
	if (got < 0) {
		fail(sandbox, found->step ? found->step : "go on", got);
		return 0;
	}
	enter(sandbox, got == OTHERWISE ? found->otherwise : found->next);
	void (*tell)(struct sandbox *, const struct happening *) =
		got == OTHERWISE ? found->tell_otherwise : found->tell;
	if (tell)
		tell(sandbox, what);
	return 0;
}
