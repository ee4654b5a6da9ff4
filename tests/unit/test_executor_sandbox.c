/* The life of a sandbox: every pair of a state and an event, against a stand-in for all
 * that the machine does. What is expected is written down here once more, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "executor/sandbox/sandbox_parts.h"

/* -- the stand-in ------------------------------------------------------------------- */

static struct loop *loop;
static const char *did; /* the last action */
static int result;      /* what the next action returns */
static char told[64];   /* what the owner was told, a letter each */
static bool freed;
static void (*within)(struct sandbox *sandbox); /* an owner's doing during an action */
static int64_t answered;

static int act(const char *name, struct sandbox *sandbox)
{
	did = name;
	if (within)
		within(sandbox);
	return result;
}

/* clang-format off */
#define ACTIONS(X) \
	X(spawn_ask_zygote) X(spawn_map_ids) X(spawn_enter) X(program_listen) X(program_accept) \
	X(program_adopt_interpreter) X(program_is_idle) X(job_start) X(job_give_input) \
	X(job_drain) X(job_finish) X(job_drain_last) X(job_leftovers) X(command_start) \
	X(command_started) X(command_kill) X(command_ended) X(command_note_end) \
	X(command_finish) X(command_note_and_finish) X(tidy_begin) X(tidy_finish) X(checkpoint_make) X(checkpoint_keep) \
	X(checkpoint_keep_and_idle) X(restore_begin) X(restore_clear) X(restore_resume) \
	X(restore_failed) X(fork_begin) X(fork_adopt) X(fork_adopt_and_idle) \
	X(fork_original_is_ready) X(fork_original_is_ready_and_idle) X(fork_none) \
	X(fork_kill) X(fork_join) X(fork_gone) X(fork_swept) X(renew_begin) \
	X(renew_prove) X(renew_listen) X(teardown_kill) \
	X(teardown_kill_late) X(teardown_if_home) X(teardown_give_up_spawn)
/* clang-format on */

#define STAND_IN(name)                                                                             \
	int name(struct sandbox *sandbox, const struct happening *what)                            \
	{                                                                                          \
		(void)what;                                                                        \
		return act(#name, sandbox);                                                        \
	}
ACTIONS(STAND_IN)

int target_answer(struct sandbox *sandbox, struct target *target, int64_t order)
{
	(void)sandbox;
	(void)target;
	answered = order;
	return 0;
}

int job_copy_report(struct sandbox *sandbox, size_t most, uint8_t **ret_report, size_t *ret_length)
{
	(void)sandbox;
	(void)most;
	*ret_report = malloc(1);
	*ret_length = 0;
	return *ret_report ? 0 : -ENOMEM;
}

void job_go_on(struct sandbox *sandbox)
{
	(void)target_answer(sandbox, &sandbox->interpreter, ORDER_GO_ON);
}

void teardown_finish(struct sandbox *sandbox, const struct happening *what)
{
	(void)sandbox;
	(void)what;
	freed = true;
}

/* -- the owner ------------------------------------------------------------------------ */

static void tell(char letter)
{
	size_t length = strlen(told);

	if (length < sizeof told - 1)
		told[length] = letter;
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	(void)context;
	assert_int_equal(sandbox->state, SANDBOX_IDLE);
	tell('i');
}

static void on_done(void *context, struct sandbox *sandbox)
{
	(void)context;
	assert_int_equal(sandbox->state, SANDBOX_IDLE);
	tell('d');
}

static size_t display_room(void *context)
{
	(void)context;
	return 0;
}

static void on_display(void *context, struct sandbox *sandbox, const uint8_t *text, size_t length)
{
	(void)context;
	(void)text;
	(void)length;
	assert_int_equal(sandbox->state, SANDBOX_BUSY);
	tell('D');
}

static void on_input(void *context, struct sandbox *sandbox, const uint8_t *prompt, size_t length,
		     bool password)
{
	(void)context;
	(void)prompt;
	(void)length;
	assert_false(password);
	assert_int_equal(sandbox->state, SANDBOX_ASKS);
	tell('I');
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)context;
	(void)sandbox;
	tell(status == SIGKILL ? 'k' : 'x');
}

static void on_refused(void *context, struct sandbox *sandbox)
{
	(void)context;
	(void)sandbox;
	tell('r');
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	(void)context;
	assert_int_equal(sandbox->state, SANDBOX_FAILED);
	tell('f');
}

static const struct sandbox_owner owner = { .idle = on_idle,
					    .done = on_done,
					    .display_room = display_room,
					    .display = on_display,
					    .input = on_input,
					    .died = on_died,
					    .refused = on_refused,
					    .failed = on_failed };

/* -- what is expected: of every pair that is not left to the rule for its event --------- */

struct expected {
	enum sandbox_state state;
	enum sandbox_event event;
	const char *action; /* NULL: none */
	enum sandbox_state next;
	const char *tells;
	enum sandbox_state otherwise; /* 0: the action never says so */
	const char *tells_otherwise;
};

#define RUNS(state)                                                                                \
	{ state, ON_DONE, "job_finish", SANDBOX_IDLE, "d", 0, NULL },                              \
		{ state, ON_DISPLAY, "job_drain", SANDBOX_BUSY, "D", 0, NULL },                    \
		{ state, ON_INPUT, "job_drain", SANDBOX_ASKS, "I", 0, NULL },                      \
		{ state, ON_INTERPRETER_DIED, "job_drain_last", SANDBOX_DEAD, "x", 0, NULL },      \
		{ state, ON_ORIGINAL_DIED, NULL, state, "", 0, NULL },                             \
		{ state, ON_JOIN, "fork_kill", SANDBOX_JOINS, "", 0, NULL },                       \
	{                                                                                          \
		state, ON_RESTORE, "restore_begin", SANDBOX_SWEEPS, "", 0, NULL                    \
	}
#define FREEZES(state)                                                                             \
	{ state, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_DEAD, "x", 0, NULL },               \
	{                                                                                          \
		state, ON_RESTORE, "restore_begin", SANDBOX_SWEEPS, "", 0, NULL                    \
	}
#define FORKS(state)                                                                               \
	{ state, ON_ORIGINAL_DIED, NULL, SANDBOX_DEAD, "k", 0, NULL },                             \
	{                                                                                          \
		state, ON_LATE, NULL, SANDBOX_DEAD, "k", 0, NULL                                   \
	}
#define STAYS_OR_IDLE(state, event, action)                                                        \
	{                                                                                          \
		state, event, action, SANDBOX_IDLE, "i", state, ""                                 \
	}
#define HOME(event)                                                                                \
	{                                                                                          \
		SANDBOX_DIES, event, "teardown_if_home", SANDBOX_DIES, "", SANDBOX_TEARS, ""       \
	}

static const struct expected table[] = {
	{ SANDBOX_MAKES, ON_TASK_DONE, "spawn_ask_zygote", SANDBOX_SPAWNS, "", 0, NULL },
	{ SANDBOX_SPAWNS, ON_SPAWNED, "spawn_map_ids", SANDBOX_PLACED, "", 0, NULL },
	{ SANDBOX_PLACED, ON_OFFERED, "spawn_enter", SANDBOX_STARTS, "", 0, NULL },
	{ SANDBOX_STARTS, ON_LISTENING, "program_listen", SANDBOX_STARTS, "", 0, NULL },
	STAYS_OR_IDLE(SANDBOX_STARTS, ON_STRANGER_READY, "program_adopt_interpreter"),
	STAYS_OR_IDLE(SANDBOX_STARTS, ON_READY, "program_is_idle"),
	{ SANDBOX_STARTS, ON_INTERPRETER_DIED, "restore_failed", SANDBOX_STARTS, "", 0, NULL },

	{ SANDBOX_IDLE, ON_START, "job_start", SANDBOX_BUSY, "", 0, NULL },
	{ SANDBOX_IDLE, ON_COMMAND, "command_start", SANDBOX_COMMANDED, "", 0, NULL },
	{ SANDBOX_IDLE, ON_TIDY, "tidy_begin", SANDBOX_TIDIES, "", 0, NULL },
	{ SANDBOX_TIDIES, ON_SWEPT, "tidy_finish", SANDBOX_IDLE, "i", SANDBOX_DEAD, "k" },
	{ SANDBOX_TIDIES, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_TIDIES, "", 0, NULL },
	{ SANDBOX_IDLE, ON_CHECKPOINT, "checkpoint_make", SANDBOX_FREEZES, "", 0, NULL },
	{ SANDBOX_IDLE, ON_FORK, "fork_begin", SANDBOX_FORKS, "", 0, NULL },
	{ SANDBOX_IDLE, ON_JOIN, "fork_kill", SANDBOX_JOINS, "", 0, NULL },
	{ SANDBOX_IDLE, ON_RESTORE, "restore_begin", SANDBOX_SWEEPS, "", 0, NULL },
	{ SANDBOX_IDLE, ON_RENEW, "renew_begin", SANDBOX_EXPIRES, "", 0, NULL },
	{ SANDBOX_IDLE, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_DEAD, "x", 0, NULL },
	{ SANDBOX_IDLE, ON_ORIGINAL_DIED, NULL, SANDBOX_IDLE, "", 0, NULL },
	RUNS(SANDBOX_BUSY),
	RUNS(SANDBOX_ASKS),
	{ SANDBOX_ASKS, ON_GIVE_INPUT, "job_give_input", SANDBOX_BUSY, "", 0, NULL },
	{ SANDBOX_DEAD, ON_JOIN, "fork_join", SANDBOX_JOIN_SWEEPS, "", 0, NULL },
	{ SANDBOX_DEAD, ON_RESTORE, "restore_begin", SANDBOX_SWEEPS, "", 0, NULL },
	{ SANDBOX_DEAD, ON_INTERPRETER_DIED, NULL, SANDBOX_DEAD, "", 0, NULL },
	{ SANDBOX_DEAD, ON_ORIGINAL_DIED, NULL, SANDBOX_DEAD, "", 0, NULL },

	{ SANDBOX_COMMANDED, ON_COMMAND_STARTED, "command_started", SANDBOX_COMMANDED, "", 0,
	  NULL },
	{ SANDBOX_COMMANDED, ON_COMMAND_REFUSED, "command_ended", SANDBOX_COMMAND_ENDED, "r", 0,
	  NULL },
	{ SANDBOX_COMMANDED, ON_COMMAND_ENDED, "command_ended", SANDBOX_COMMAND_ENDED, "", 0,
	  NULL },
	{ SANDBOX_COMMANDED, ON_KILL_COMMAND, "command_kill", SANDBOX_COMMAND_KILLED, "", 0, NULL },
	{ SANDBOX_COMMANDED, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_COMMANDED, "", 0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_COMMAND_STARTED, "command_started", SANDBOX_COMMAND_KILLED, "",
	  0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_COMMAND_REFUSED, "command_note_end", SANDBOX_COMMAND_ENDED, "",
	  0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_COMMAND_ENDED, "command_note_end", SANDBOX_COMMAND_ENDED, "",
	  0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_SWEPT, NULL, SANDBOX_COMMAND_SWEPT, "", 0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_KILL_COMMAND, NULL, SANDBOX_COMMAND_KILLED, "", 0, NULL },
	{ SANDBOX_COMMAND_KILLED, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_COMMAND_KILLED, "",
	  0, NULL },
	{ SANDBOX_COMMAND_SWEPT, ON_COMMAND_STARTED, "command_started", SANDBOX_COMMAND_SWEPT, "",
	  0, NULL },
	{ SANDBOX_COMMAND_SWEPT, ON_COMMAND_REFUSED, "command_note_and_finish", SANDBOX_IDLE, "x",
	  SANDBOX_DEAD, "x" },
	{ SANDBOX_COMMAND_SWEPT, ON_COMMAND_ENDED, "command_note_and_finish", SANDBOX_IDLE, "x",
	  SANDBOX_DEAD, "x" },
	{ SANDBOX_COMMAND_SWEPT, ON_KILL_COMMAND, NULL, SANDBOX_COMMAND_SWEPT, "", 0, NULL },
	{ SANDBOX_COMMAND_SWEPT, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_COMMAND_SWEPT, "", 0,
	  NULL },
	{ SANDBOX_COMMAND_ENDED, ON_SWEPT, "command_finish", SANDBOX_IDLE, "x", SANDBOX_DEAD, "x" },
	{ SANDBOX_COMMAND_ENDED, ON_KILL_COMMAND, NULL, SANDBOX_COMMAND_ENDED, "", 0, NULL },
	{ SANDBOX_COMMAND_ENDED, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_COMMAND_ENDED, "", 0,
	  NULL },

	FREEZES(SANDBOX_FREEZES),
	{ SANDBOX_FREEZES, ON_READY, "program_accept", SANDBOX_FREEZES_COPY, "", 0, NULL },
	STAYS_OR_IDLE(SANDBOX_FREEZES, ON_NO_COPY, "program_is_idle"),
	{ SANDBOX_FREEZES, ON_STRANGER_FROZEN, "checkpoint_keep", SANDBOX_FREEZES_SELF, "",
	  SANDBOX_FREEZES, "" },
	{ SANDBOX_FREEZES, ON_LATE, NULL, SANDBOX_DEAD, "k", 0, NULL },
	FREEZES(SANDBOX_FREEZES_COPY),
	STAYS_OR_IDLE(SANDBOX_FREEZES_COPY, ON_STRANGER_FROZEN, "checkpoint_keep_and_idle"),
	STAYS_OR_IDLE(SANDBOX_FREEZES_COPY, ON_LATE, "program_is_idle"),
	FREEZES(SANDBOX_FREEZES_SELF),
	STAYS_OR_IDLE(SANDBOX_FREEZES_SELF, ON_READY, "program_is_idle"),
	STAYS_OR_IDLE(SANDBOX_FREEZES_SELF, ON_NO_COPY, "program_is_idle"),
	{ SANDBOX_FREEZES_SELF, ON_LATE, NULL, SANDBOX_DEAD, "k", 0, NULL },

	FORKS(SANDBOX_FORKS),
	{ SANDBOX_FORKS, ON_ORIGINAL_READY, "fork_original_is_ready", SANDBOX_FORKS_COPY, "", 0,
	  NULL },
	{ SANDBOX_FORKS, ON_ORIGINAL_NO_COPY, "fork_none", SANDBOX_IDLE, "i", 0, NULL },
	{ SANDBOX_FORKS, ON_STRANGER_READY, "fork_adopt", SANDBOX_FORKS_SELF, "", SANDBOX_FORKS,
	  "" },
	FORKS(SANDBOX_FORKS_COPY),
	STAYS_OR_IDLE(SANDBOX_FORKS_COPY, ON_STRANGER_READY, "fork_adopt_and_idle"),
	FORKS(SANDBOX_FORKS_SELF),
	{ SANDBOX_FORKS_SELF, ON_ORIGINAL_READY, "fork_original_is_ready_and_idle", SANDBOX_IDLE,
	  "i", 0, NULL },
	{ SANDBOX_FORKS_SELF, ON_ORIGINAL_NO_COPY, NULL, SANDBOX_DEAD, "k", 0, NULL },
	FORKS(SANDBOX_JOINS),
	{ SANDBOX_JOINS, ON_INTERPRETER_DIED, "fork_gone", SANDBOX_IDLE, "i", SANDBOX_JOIN_SWEEPS,
	  "" },
	{ SANDBOX_JOIN_SWEEPS, ON_SWEPT, "fork_swept", SANDBOX_IDLE, "i", SANDBOX_DEAD, "k" },
	{ SANDBOX_JOIN_SWEEPS, ON_ORIGINAL_DIED, NULL, SANDBOX_DEAD, "k", 0, NULL },

	{ SANDBOX_SWEEPS, ON_SWEPT, "restore_clear", SANDBOX_CLEARS, "", SANDBOX_STARTS, "" },
	{ SANDBOX_CLEARS, ON_TASK_DONE, "restore_resume", SANDBOX_STARTS, "", 0, NULL },

	{ SANDBOX_EXPIRES, ON_INTERPRETER_DIED, "renew_prove", SANDBOX_RENEWS, "", SANDBOX_DEAD,
	  "x" },
	{ SANDBOX_EXPIRES, ON_LATE, NULL, SANDBOX_DEAD, "k", 0, NULL },
	{ SANDBOX_RENEWS, ON_LISTENING, "renew_listen", SANDBOX_RENEWS, "", SANDBOX_DEAD, "k" },
	STAYS_OR_IDLE(SANDBOX_RENEWS, ON_STRANGER_READY, "program_adopt_interpreter"),
	STAYS_OR_IDLE(SANDBOX_RENEWS, ON_READY, "program_is_idle"),
	{ SANDBOX_RENEWS, ON_INTERPRETER_DIED, "job_leftovers", SANDBOX_DEAD, "x", 0, NULL },

	HOME(ON_TASK_DONE),
	HOME(ON_TASK_FAILED),
	HOME(ON_SPAWN_FAILED),
	HOME(ON_INIT_DIED),
	{ SANDBOX_DIES, ON_SPAWNED, "teardown_kill_late", SANDBOX_DIES, "", SANDBOX_TEARS, "" },
	{ SANDBOX_DIES, ON_LATE, "teardown_give_up_spawn", SANDBOX_DIES, "", SANDBOX_TEARS, "" },
	{ SANDBOX_DIES, ON_KILL, NULL, SANDBOX_DIES, "", 0, NULL },
	{ SANDBOX_TEARS, ON_TASK_DONE, NULL, SANDBOX_TEARS, "", 0, NULL },
	{ SANDBOX_TEARS, ON_KILL, NULL, SANDBOX_TEARS, "", 0, NULL },
};

static const struct expected *find(enum sandbox_state state, enum sandbox_event event)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].state == state && table[i].event == event)
			return &table[i];
	return NULL;
}

/* The rule for what is in no row: every state can be killed, other calls are refused,
 * a program may say what it likes, and from our own parts it ends the sandbox. */
static struct expected by_rule(enum sandbox_state state, enum sandbox_event event)
{
	struct expected rule = { state, event, NULL, state, "", 0, NULL };

	if (event == ON_KILL) {
		rule.action = "teardown_kill";
		rule.next = SANDBOX_DIES;
		rule.otherwise = SANDBOX_TEARS;
		rule.tells_otherwise = "";
	} else if (event > ON_STRANGER_FROZEN && state < SANDBOX_FAILED) {
		rule.next = SANDBOX_FAILED;
		rule.tells = "f";
	}
	return rule;
}

/* -- trying a pair ---------------------------------------------------------------------- */

static struct sandboxes all;

static void begin(struct sandbox *sandbox, enum sandbox_state state, int returns)
{
	*sandbox = (struct sandbox){ .all = &all, .owner = owner, .state = state, .cookie = 7 };
	sandbox->command.status = 256;
	sandbox->mailbox_fd = -1;
	did = NULL;
	result = returns;
	memset(told, 0, sizeof told);
	freed = false;
	within = NULL;
	answered = 0;
}

static int happen(struct sandbox *sandbox, enum sandbox_event event)
{
	const struct notification note = { .id = 1, .pid = 2 };

	return sandbox_dispatch(sandbox, &(struct happening){ .event = event,
							      .note = &note,
							      .status = 256,
							      .step = "be tested",
							      .error = -EIO });
}

static void end(struct sandbox *sandbox)
{
	loop_clear_timer(loop, &sandbox->deadline);
}

static void check(const struct sandbox *sandbox, const struct expected *expected, bool otherwise)
{
	enum sandbox_state next = otherwise ? expected->otherwise : expected->next;
	const char *tells = otherwise ? expected->tells_otherwise : expected->tells;
	bool same_action = (!did && !expected->action) ||
			   (did && expected->action && !strcmp(did, expected->action));

	if (sandbox->state == next && same_action && !strcmp(told, tells))
		return;
	fail_msg("%s + %s: did %s, is \"%s\", told \"%s\"", sandbox_state_name(expected->state),
		 sandbox_event_name(expected->event), did ? did : "nothing",
		 sandbox_state_name(sandbox->state), told);
}

static bool is_call(enum sandbox_event event)
{
	return event <= ON_KILL;
}

static void try_pair(enum sandbox_state state, enum sandbox_event event)
{
	const struct expected *found = find(state, event);
	struct expected expected = found ? *found : by_rule(state, event);
	bool refused = is_call(event) && !found && event != ON_KILL;
	struct sandbox sandbox;

	begin(&sandbox, state, 0);
	assert_int_equal(happen(&sandbox, event), refused ? -EBUSY : 0);
	check(&sandbox, &expected, false);
	end(&sandbox);
	if (expected.otherwise) {
		begin(&sandbox, state, OTHERWISE);
		assert_int_equal(happen(&sandbox, event), 0);
		check(&sandbox, &expected, true);
		end(&sandbox);
	}
	if (!expected.action || event == ON_KILL)
		return;
	/* what is done fails: a call says so, anything else is the sandbox's end */
	begin(&sandbox, state, -EIO);
	assert_int_equal(happen(&sandbox, event), is_call(event) ? -EIO : 0);
	expected.next = is_call(event) ? state : SANDBOX_FAILED;
	expected.tells = is_call(event) ? "" : "f";
	if (state < SANDBOX_FAILED)
		check(&sandbox, &expected, false);
	end(&sandbox);
}

static void test_every_pair(void **state)
{
	(void)state;
	for (int from = 0; from < SANDBOX_STATES; from++)
		for (int event = 0; event < SANDBOX_EVENTS; event++)
			try_pair((enum sandbox_state)from, (enum sandbox_event)event);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < SANDBOX_STATES; i++)
		assert_non_null(sandbox_state_name((enum sandbox_state)i));
	for (int i = 0; i < SANDBOX_EVENTS; i++)
		assert_non_null(sandbox_event_name((enum sandbox_event)i));
}

/* -- what an owner does from within ------------------------------------------------------- */

static void kill_it(struct sandbox *sandbox)
{
	within = NULL;
	(void)happen(sandbox, ON_KILL);
}

/* Output is given while it is drained: an owner that has enough of it kills, and is told
 * nothing more. */
static void test_killed_while_drained(void **state)
{
	static const enum sandbox_event drains[] = { ON_DONE, ON_DISPLAY, ON_INPUT,
						     ON_INTERPRETER_DIED };
	struct sandbox sandbox;

	(void)state;
	for (size_t i = 0; i < sizeof drains / sizeof *drains; i++) {
		begin(&sandbox, SANDBOX_BUSY, 0);
		within = kill_it;
		assert_int_equal(happen(&sandbox, drains[i]), 0);
		assert_int_equal(sandbox.state, SANDBOX_DIES);
		assert_string_equal(told, "");
		assert_int_equal(answered, 0);
		end(&sandbox);
	}
}

static void test_display_goes_on(void **state)
{
	struct sandbox sandbox;

	(void)state;
	begin(&sandbox, SANDBOX_BUSY, 0);
	assert_int_equal(happen(&sandbox, ON_DISPLAY), 0);
	assert_int_equal(answered, ORDER_GO_ON);
	end(&sandbox);
}

/* Nobody there to ask: it reads the end of its input. */
static void test_input_without_owner(void **state)
{
	struct sandbox sandbox;

	(void)state;
	begin(&sandbox, SANDBOX_BUSY, 0);
	sandbox.owner.input = NULL;
	assert_int_equal(happen(&sandbox, ON_INPUT), 0);
	assert_string_equal(did, "job_give_input");
	assert_int_equal(sandbox.state, SANDBOX_BUSY);
	end(&sandbox);
}

/* -- deadlines, the end --------------------------------------------------------------------- */

static void test_deadlines(void **state)
{
	struct sandbox sandbox;

	(void)state;
	begin(&sandbox, SANDBOX_IDLE, 0);
	assert_int_equal(happen(&sandbox, ON_CHECKPOINT), 0);
	assert_int_not_equal(sandbox.deadline.place, 0);
	uint64_t due = sandbox.deadline.due_us;
	assert_int_equal(happen(&sandbox, ON_READY), 0);
	assert_int_not_equal(sandbox.deadline.place, 0);
	assert_true(sandbox.deadline.due_us >= due);
	assert_int_equal(happen(&sandbox, ON_STRANGER_FROZEN), 0);
	assert_int_equal(sandbox.state, SANDBOX_IDLE);
	assert_int_equal(sandbox.deadline.place, 0);
	end(&sandbox);
}

/* A spawn that nobody answers is not waited for by what has failed already. */
static void test_late_spawn_is_nobodys(void **state)
{
	struct sandbox sandbox;

	(void)state;
	begin(&sandbox, SANDBOX_SPAWNS, 0);
	assert_int_equal(happen(&sandbox, ON_LATE), 0);
	assert_int_equal(sandbox.cookie, 0);
	assert_string_equal(told, "f");
	end(&sandbox);
}

static void test_freed_last(void **state)
{
	struct sandbox sandbox;

	(void)state;
	begin(&sandbox, SANDBOX_TEARS, 0);
	assert_int_equal(happen(&sandbox, ON_TASK_DONE), 0);
	assert_true(freed);
	end(&sandbox);
}

/* From wherever chance leads, a kill leads to the end. */
static void test_any_walk_ends(void **state)
{
	struct sandbox sandbox;
	uint32_t chance = 12345;

	(void)state;
	for (int walk = 0; walk < 500; walk++) {
		begin(&sandbox, SANDBOX_MAKES, 0);
		for (int step = 0; step < 40 && sandbox.state < SANDBOX_FAILED; step++) {
			chance = chance * 1664525 + 1013904223;
			memset(told, 0, sizeof told);
			result = (chance >> 8) % 8 == 0 ? -EIO : 0;
			(void)happen(&sandbox,
				     (enum sandbox_event)((chance >> 16) % ON_TASK_FAILED));
		}
		result = 0;
		(void)happen(&sandbox, ON_KILL);
		result = OTHERWISE;
		if (sandbox.state == SANDBOX_DIES)
			(void)happen(&sandbox, ON_INIT_DIED);
		assert_int_equal(sandbox.state, SANDBOX_TEARS);
		(void)happen(&sandbox, ON_TASK_DONE);
		assert_true(freed);
		end(&sandbox);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_killed_while_drained),
		cmocka_unit_test(test_display_goes_on),
		cmocka_unit_test(test_input_without_owner),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_late_spawn_is_nobodys),
		cmocka_unit_test(test_freed_last),
		cmocka_unit_test(test_any_walk_ends),
	};

	log_set_level((enum log_level) - 1); /* failures are meant here */
	if (loop_new(&loop))
		return 1;
	all.config.loop = loop;
	int failed = cmocka_run_group_tests_name("the life of a sandbox", tests, NULL, NULL);
	loop_free(loop);
	return failed;
}
