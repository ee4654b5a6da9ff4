/* A session: every pair of state and event, and what its clients see. The layer below
 * (sandbox, run, admission, the socket) is a stand-in that counts what is given back. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "executor/environments/environments.h"
#include "executor/session/session_parts.h"

static struct executor executor;

/* -- the layer below ---------------------------------------------------------------- */

static struct {
	struct sandbox_owner owner;
	struct run_owner run;
	struct sandbox_job job;
	struct waiter *waiters[64];
	size_t waiter_count;
	int enter_error, begin_error, restore_error, checkpoint_error, input_error;
	bool unread, fresh, checkpointed, idle, has_room, held, interrupted, cleared, others;
	enum tidied tidied;
	size_t checkpoints, dropped;
	uint64_t memory_bytes;
	int sandboxes, runs, places; /* that are out */
	int killed, restored, frozen;
} below;

static struct sandbox *const a_sandbox = (struct sandbox *)(void *)&below.owner;
static struct run *const a_run = (struct run *)(void *)&below.run;

void sandbox_set_owner(struct sandbox *sandbox, const struct sandbox_owner *owner)
{
	assert_ptr_equal(sandbox, a_sandbox);
	below.owner = *owner;
}

int sandbox_limit(struct sandbox *sandbox, const struct limits *limits)
{
	assert_ptr_equal(sandbox, a_sandbox);
	(void)limits;
	return 0;
}

bool sandbox_is_idle(const struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return below.idle;
}

int sandbox_share_workspace(struct sandbox *sandbox, const struct ucred *peer)
{
	(void)sandbox;
	(void)peer;
	return -ENOSYS;
}

int sandbox_admit_files(struct sandbox *sandbox, uint64_t bytes, struct incoming *incoming)
{
	(void)sandbox;
	(void)bytes;
	(void)incoming;
	return -ENOSYS;
}

void sandbox_settle_files(struct incoming *incoming)
{
	(void)incoming;
}

int sandbox_read_usage(struct sandbox *sandbox, struct cgroup_usage *ret_usage)
{
	assert_ptr_equal(sandbox, a_sandbox);
	ret_usage->memory_bytes = below.memory_bytes;
	return 0;
}

int sandbox_note_others(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return 0;
}

int sandbox_tidy(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return below.others ? 0 : -ENOENT;
}

enum tidied sandbox_tidied(const struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return below.tidied;
}

int sandbox_checkpoint(struct sandbox *sandbox, size_t keep)
{
	assert_ptr_equal(sandbox, a_sandbox);
	(void)keep;
	below.frozen++;
	return below.checkpoint_error;
}

bool sandbox_checkpointed(const struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return below.checkpointed;
}

void sandbox_rest(struct sandbox *given, bool rests)
{
	assert_ptr_equal(given, a_sandbox);
	below.unread = rests;
}

void sandbox_hold_output(struct sandbox *sandbox, bool hold)
{
	assert_ptr_equal(sandbox, a_sandbox);
	(void)hold;
}

size_t sandbox_checkpoints(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	return below.checkpoints;
}

void sandbox_drop_checkpoints(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	below.checkpoints = 0;
}

void sandbox_clear_workspace(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	below.cleared = true;
}

int sandbox_restore(struct sandbox *sandbox, size_t drop, bool *ret_fresh)
{
	assert_ptr_equal(sandbox, a_sandbox);
	below.restored++;
	below.dropped = drop;
	*ret_fresh = below.fresh;
	return below.restore_error;
}

void sandbox_kill(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	assert_int_equal(below.sandboxes--, 1);
	below.killed++;
}

int run_begin(const struct run_config *config, struct run **ret_run)
{
	assert_ptr_equal(config->sandbox, a_sandbox);
	if (below.begin_error)
		return below.begin_error;
	assert_int_equal(below.runs++, 0);
	below.run = config->owner;
	below.job = config->job;
	below.held = below.interrupted = false;
	*ret_run = a_run;
	return 0;
}

void run_free(struct run *run)
{
	below.runs -= run != NULL;
	assert_true(below.runs >= 0);
}

void run_interrupt(struct run *run)
{
	assert_ptr_equal(run, a_run);
	below.interrupted = true;
	loop_stop(executor.loop);
}

void run_hold(struct run *run, bool hold)
{
	assert_ptr_equal(run, a_run);
	below.held = hold;
}

int run_give_input(struct run *run, const void *bytes, size_t length, bool eof)
{
	assert_ptr_equal(run, a_run);
	(void)bytes;
	(void)length;
	(void)eof;
	return below.input_error;
}

int admission_enter(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	if (below.enter_error)
		return below.enter_error;
	assert_true(below.waiter_count < 64);
	waiter->waiting = true;
	below.waiters[below.waiter_count++] = waiter;
	return 0;
}

void admission_withdraw(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	waiter->waiting = false;
}

void admission_leave(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	if (!waiter->paused)
		assert_int_equal(below.places--, 1);
	waiter->paused = false;
}

const uint64_t *admission_rivals(const struct waiter *waiter)
{
	(void)waiter;
	return NULL;
}

void admission_pause(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	assert_int_equal(below.places--, 1);
	waiter->paused = true;
}

void admission_return(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	assert_int_equal(below.places++, 0);
	waiter->paused = false;
}

int environment_hold(struct environment *environment)
{
	(void)environment;
	return 0;
}

int environment_start(struct environment *environment)
{
	(void)environment;
	return 0;
}

void environment_release(struct environment *environment)
{
	(void)environment;
}

const struct manifest *environment_manifest(const struct environment *environment)
{
	(void)environment;
	return NULL;
}

struct pool *environment_pool(const struct environment *environment)
{
	(void)environment;
	return NULL;
}

void import_note(const struct environments *environments, struct outcome *outcome,
		 char ret_note[IMPORT_NOTE_BYTES])
{
	(void)environments;
	(void)outcome;
	(void)ret_note;
}

uint64_t admission_retry_ms(const struct admission *admission)
{
	(void)admission;
	return 1000;
}

/* -- calls: each is answered once --------------------------------------------------- */

struct peer {
	struct call call;
	struct buffer fields;
	int answers;
	enum frame_type answer;
	enum refusal refusal;
	struct buffer payload;
	char events[64]; /* a letter for each */
	struct buffer text;
};

static struct peer *client_of(struct call *call)
{
	return LOOP_OWNER(call, struct peer, call);
}

void call_event(struct call *call, enum frame_type type, const void *bytes, size_t length)
{
	static const char letters[256] = {
		[FRAME_STDOUT] = 'o',  [FRAME_STDERR] = 'e', [FRAME_START] = 'S',
		[FRAME_DISPLAY] = 'd', [FRAME_INPUT] = 'i',  [FRAME_GAP] = 'g'
	};
	struct peer *client = client_of(call);
	size_t count = strlen(client->events);

	assert_int_equal(client->answers, 0);
	if (count < sizeof client->events - 1)
		client->events[count] = letters[type];
	if (type == FRAME_STDOUT)
		assert_int_equal(buffer_append(&client->text, bytes, length), 0);
}

void call_output(struct call *call, unsigned stream, const void *bytes, size_t length)
{
	call_event(call, stream ? FRAME_STDERR : FRAME_STDOUT, bytes, length);
}

bool call_has_room(const struct call *call)
{
	(void)call;
	return below.has_room;
}

void call_finish(struct call *call, enum frame_type type, const struct buffer *fields)
{
	struct peer *client = client_of(call);

	assert_int_equal(client->answers++, 0);
	client->answer = type;
	assert_int_equal(buffer_append(&client->payload, fields->data, fields->length), 0);
}

void call_finish_with_fd(struct call *call, enum frame_type type, const struct buffer *fields,
			 int fd)
{
	(void)fd;
	call_finish(call, type, fields);
}

void call_refuse_busy(struct call *call, enum refusal refusal, const char *message, uint64_t ms)
{
	(void)message;
	(void)ms;
	client_of(call)->refusal = refusal;
	call_finish(call, FRAME_REFUSAL, &(struct buffer){ 0 });
}

void call_refuse(struct call *call, enum refusal refusal, unsigned field, const char *format, ...)
{
	(void)field;
	call_refuse_busy(call, refusal, format, 0);
}

void call_request_id(const struct call *call, char *ret_id, size_t size)
{
	(void)call;
	snprintf(ret_id, size, "-");
}

void call_workspace(struct call *call, int fd)
{
	(void)call;
	(void)fd;
}

const struct ucred *call_peer(const struct call *call)
{
	(void)call;
	return NULL;
}

/* Of one test; tear_down() frees them. */
static struct peer peers[8];
static size_t peer_count;

static struct peer *make_client(const char *code, unsigned flag)
{
	assert_true(peer_count < sizeof peers / sizeof *peers);
	struct peer *client = &peers[peer_count++];

	*client = (struct peer){ 0 };
	fields_put_text(&client->fields, FIELD_CODE, code);
	if (flag)
		fields_put_number(&client->fields, flag, 1);
	client->call.fields = client->fields.data;
	client->call.length = client->fields.length;
	return client;
}

static void free_clients(void)
{
	while (peer_count) {
		struct peer *client = &peers[--peer_count];

		buffer_reset(&client->fields);
		buffer_reset(&client->payload);
		buffer_reset(&client->text);
	}
}

/* As the server does it. */
static void hang_up(struct peer *client)
{
	assert_non_null(client->call.cancel);
	client->call.cancel(&client->call);
	client->answers = 1; /* it is gone: none must come */
}

static uint64_t answer_number(const struct peer *client, unsigned field)
{
	return fields_number(client->payload.data, client->payload.length, field, 999);
}

static bool answer_has(const struct peer *client, unsigned field, const char *part)
{
	struct field_view view;

	return fields_find(client->payload.data, client->payload.length, field, &view) == 1 &&
	       memmem(view.value, view.length, part, strlen(part));
}

/* -- a session ----------------------------------------------------------------------- */

static struct session *session;
static const struct limits limits = { .wall_ms = 60000, .cpu_ms = 60000 };
static struct profile profile = { .name = "native" };

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	memset(&below, 0, sizeof below);
	below.checkpointed = below.idle = below.has_room = below.others = true;
	below.checkpoints = 1;
	memset(&executor, 0, sizeof executor);
	executor.options = (struct options){ .session_queue = 3,
					     .cell_output_bytes = 65536,
					     .checkpoint_bytes = 1 << 20 };
	executor.histories = (struct histories){ .most_cells = 10,
						 .most_bytes = 1 << 20,
						 .most_bytes_each = 1 << 20 };
	assert_int_equal(loop_new(&executor.loop), 0);
	session = session_new(&executor, &(struct session_config){ .profile = &profile,
								   .limits = limits,
								   .terms = { 60000, 60000, 3 },
								   .id = "one",
								   .id_length = 3,
								   .client = "",
								   .client_length = 0 });
	assert_non_null(session);
	return 0;
}

/* Nothing is out, whatever happened. */
static int tear_down(void **state)
{
	(void)state;
	if (session->machine.state != SESSION_ENDED)
		session_end(session, "over");
	assert_int_equal(session->machine.state, SESSION_ENDED);
	assert_int_equal(below.sandboxes, 0);
	assert_int_equal(below.runs, 0);
	assert_int_equal(below.places, 0);
	for (size_t i = 0; i < below.waiter_count; i++)
		assert_false(below.waiters[i]->waiting);
	assert_int_equal(executor.histories.bytes, 0);
	assert_null(executor.histories.first);
	assert_null(executor.sessions);
	loop_clear_timer(executor.loop, &session->life);
	session->life.fire(&session->life); /* it is freed: by the loop, when that runs */
	loop_free(executor.loop);
	free_clients();
	return 0;
}

/* The newest that waits is let in. */
static void let_in(void)
{
	struct waiter *waiter = below.waiters[below.waiter_count - 1];

	assert_true(waiter->waiting);
	waiter->waiting = false;
	if (waiter->runs)
		below.places++;
	else
		below.sandboxes++;
	waiter->granted(waiter, waiter->runs ? NULL : a_sandbox);
}

static void ask(struct peer *client, enum ticket_kind kind)
{
	session_enqueue(session, &client->call, kind, &limits);
}

static void finish(enum remains remains)
{
	struct outcome outcome = { .remains = remains };

	if (remains == REMAINS_NONE)
		outcome.reason = REASON_INTERNAL;
	below.run.finished(below.run.context, &outcome);
}

/* It yielded to the interrupt. */
static void finish_at_limit(void)
{
	const struct outcome outcome = { .remains = REMAINS_IDLE,
					 .status = STATUS_TIMEOUT,
					 .reason = REASON_WALL_TIME };

	below.run.finished(below.run.context, &outcome);
}

static void print(const char *text)
{
	below.run.output(below.run.context, SANDBOX_STDOUT, (const uint8_t *)text, strlen(text));
}

static void idle(void)
{
	below.owner.idle(below.owner.context, a_sandbox);
}

static enum session_state state(void)
{
	return session->machine.state;
}

static void begin(struct peer *client)
{
	ask(client, TICKET_CELL);
	let_in();
}

static void run_to_limit(struct peer *client)
{
	begin(client);
	finish_at_limit();
}

/* A cell that has to be killed, from its turn until the session is back. */
static void kill_cell(struct peer *client)
{
	begin(client);
	finish(REMAINS_KILLED);
	assert_int_equal(client->answers, 0); /* not before it is back */
	idle();
}

/* A cell from its turn to its checkpoint. */
static void run_cell(struct peer *client)
{
	begin(client);
	finish(REMAINS_IDLE);
	assert_int_equal(state(), SESSION_FREEZES);
	idle();
	assert_int_equal(state(), SESSION_READY);
	assert_int_equal(client->answer, FRAME_OUTCOME);
}

/* -- every pair ------------------------------------------------------------------------ */

/* Also in the midst of something else. */
#define ANY(state) [EV_NEXT] = state, [EV_END] = SESSION_ENDED
/* What a job can do, that runs or waits for input. */
#define A_JOB(state)                                                                               \
	[EV_DONE] = SESSION_FREEZES, [EV_LEFTOVERS] = SESSION_TIDIES,                              \
	[EV_KILLED] = SESSION_RETURNS, [EV_FAILED] = SESSION_WAITS,                                \
	[EV_INPUT_WANTED] = SESSION_ASKS, [EV_INPUT] = SESSION_RUNS, [EV_LEFT] = state,            \
	[EV_INTERRUPT] = state

/* Where the session is when all is done that the event leads to. What is not here
 * cannot happen: it costs the sandbox, and with that the session waits for another. */
static const enum session_state expected[SESSION_STATES][SESSION_EVENTS] = {
	[SESSION_WAITS] = {
		ANY(SESSION_WAITS),
		[EV_SANDBOX] = SESSION_READY,
		[EV_NO_SANDBOX] = SESSION_ENDED,
	},
	[SESSION_READY] = {
		ANY(SESSION_READY),
		[EV_JOB_WANTED] = SESSION_ADMITS,
		[EV_REWIND_WANTED] = SESSION_REWINDS,
		[EV_DIED] = SESSION_RECOVERS,
		[EV_FAILED] = SESSION_WAITS,
	},
	[SESSION_ADMITS] = {
		ANY(SESSION_ADMITS),
		[EV_PLACE] = SESSION_RUNS,
		[EV_NO_PLACE] = SESSION_READY,
		[EV_LEFT] = SESSION_READY,
		[EV_DIED] = SESSION_RECOVERS,
		[EV_FAILED] = SESSION_WAITS,
	},
	[SESSION_RUNS] = {
		ANY(SESSION_RUNS),
		A_JOB(SESSION_RUNS),
		[EV_DIED] = SESSION_RECOVERS,
		[EV_NOT_STARTED] = SESSION_RECOVERS,
	},
	[SESSION_ASKS] = {
		ANY(SESSION_ASKS),
		A_JOB(SESSION_ASKS),
	},
	[SESSION_TIDIES] = {
		ANY(SESSION_TIDIES),
		[EV_IDLE] = SESSION_FREEZES,
		[EV_DONE] = SESSION_FREEZES,
		[EV_KILLED] = SESSION_RETURNS,
		[EV_DIED] = SESSION_RETURNS,
		[EV_FAILED] = SESSION_WAITS,
		[EV_LEFT] = SESSION_TIDIES,
	},
	[SESSION_RETURNS] = {
		ANY(SESSION_RETURNS),
		[EV_IDLE] = SESSION_READY, /* nothing yet to be frozen */
		[EV_FAILED] = SESSION_WAITS,
		[EV_LEFT] = SESSION_RETURNS,
	},
	[SESSION_REWINDS] = {
		ANY(SESSION_REWINDS),
		[EV_IDLE] = SESSION_READY,
		[EV_REFUSED] = SESSION_READY,
		[EV_DIED] = SESSION_WAITS,
		[EV_FAILED] = SESSION_WAITS,
		[EV_LEFT] = SESSION_REWINDS,
	},
	[SESSION_RECOVERS] = {
		ANY(SESSION_RECOVERS),
		[EV_IDLE] = SESSION_READY,
		[EV_FAILED] = SESSION_WAITS,
	},
	[SESSION_SETTLES] = {
		ANY(SESSION_SETTLES),
		[EV_CHANGED] = SESSION_READY, /* nothing yet to be frozen */
		[EV_UNCHANGED] = SESSION_READY,
		[EV_DIED] = SESSION_RECOVERS,
		[EV_FAILED] = SESSION_WAITS,
	},
	[SESSION_FREEZES] = {
		ANY(SESSION_FREEZES),
		[EV_IDLE] = SESSION_READY,
		[EV_NO_CHECKPOINT] = SESSION_READY,
		[EV_UNCHANGED] = SESSION_READY,
		[EV_DIED] = SESSION_RECOVERS,
		[EV_FAILED] = SESSION_WAITS,
	},
}
;

static struct peer *asker;

static void go_to(enum session_state wanted)
{
	if (wanted == SESSION_ENDED)
		session_end(session, "over");
	if (wanted == SESSION_WAITS || wanted == SESSION_ENDED)
		return;
	let_in();
	switch (wanted) {
	case SESSION_ADMITS:
		ask(asker, TICKET_CELL);
		break;
	case SESSION_RUNS:
	case SESSION_ASKS:
	case SESSION_TIDIES:
	case SESSION_RETURNS:
	case SESSION_FREEZES:
		begin(asker);
		if (wanted == SESSION_ASKS)
			below.run.input(below.run.context, (const uint8_t *)"?", 1, false);
		else if (wanted == SESSION_TIDIES)
			finish_at_limit();
		else if (wanted != SESSION_RUNS)
			finish(wanted == SESSION_RETURNS ? REMAINS_KILLED : REMAINS_IDLE);
		break;
	case SESSION_REWINDS:
		ask(asker, TICKET_RESET);
		break;
	case SESSION_RECOVERS:
		below.owner.died(below.owner.context, a_sandbox, 9);
		break;
	case SESSION_SETTLES: /* nobody ever sees it there */
		session->machine.state = SESSION_SETTLES;
		break;
	default:
		break;
	}
	assert_int_equal(state(), wanted);
}

/* With what comes along, where it can happen. */
static void raise_event(enum session_event event)
{
	bool job = state() == SESSION_RUNS || state() == SESSION_ASKS;

	if (state() == SESSION_WAITS && event == EV_SANDBOX) {
		let_in();
	} else if (state() == SESSION_ADMITS && event == EV_PLACE) {
		let_in();
	} else if (state() == SESSION_READY &&
		   (event == EV_JOB_WANTED || event == EV_REWIND_WANTED)) {
		ask(asker, event == EV_JOB_WANTED ? TICKET_CELL : TICKET_RESET);
	} else if (state() == SESSION_ADMITS && event == EV_LEFT) {
		hang_up(asker);
	} else if (job && event == EV_DONE) {
		finish(REMAINS_IDLE);
	} else if (job && event == EV_KILLED) {
		finish(REMAINS_KILLED);
	} else if (job && event == EV_FAILED) {
		finish(REMAINS_NONE);
	} else if (state() == SESSION_REWINDS && event == EV_REFUSED) {
		ticket_refuse(session->current, REFUSAL_CONFLICT, "", 0);
		session->current = NULL;
		session_machine_happens(&session->machine, event);
	} else {
		session_machine_happens(&session->machine, event);
	}
}

/* These two only come in place of the start. */
static bool is_failed_start(enum session_state from, enum session_event event)
{
	return from == SESSION_RUNS && (event == EV_DIED || event == EV_NOT_STARTED);
}

static void check_pair(enum session_state from, enum session_event event)
{
	enum session_state next = expected[from][event];

	set_up(NULL);
	asker = make_client("x = 1", 0);
	if (is_failed_start(from, event)) {
		go_to(SESSION_ADMITS);
		below.begin_error = event == EV_DIED ? -ENOENT : -EIO;
		let_in();
	} else {
		go_to(from);
		raise_event(event);
	}
	if (from == SESSION_ENDED)
		next = SESSION_ENDED;
	else if (!next) {
		next = SESSION_WAITS;
		assert_int_equal(below.killed, from == SESSION_WAITS ? 0 : 1);
	}
	if (state() != next)
		fail_msg("%s, %s: %s", session_state_name(from), session_event_name(event),
			 session_state_name(state()));
	if (state() != SESSION_ENDED)
		session_end(session, "over");
	assert_true(asker->answers == 1 || !asker->call.context);
	tear_down(NULL);
}

static void test_every_pair(void **unused)
{
	int kept = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)unused;
	dup2(null, 2); /* what cannot happen is logged */
	close(null);
	for (int from = SESSION_WAITS; from < SESSION_STATES; from++)
		for (int event = 0; event < SESSION_EVENTS; event++)
			check_pair((enum session_state)from, (enum session_event)event);
	dup2(kept, 2);
	close(kept);
}

static void test_names(void **unused)
{
	(void)unused;
	for (int i = 0; i < SESSION_STATES; i++)
		assert_non_null(session_state_name((enum session_state)i));
	for (int i = 0; i < SESSION_EVENTS; i++)
		assert_non_null(session_event_name((enum session_event)i));
}

/* -- what its clients see ---------------------------------------------------------------- */

static void test_cells_in_order(void **unused)
{
	struct peer *one = make_client("1", 0), *two = make_client("2", 0);

	(void)unused;
	let_in();
	assert_true(below.unread); /* between jobs */
	ask(one, TICKET_CELL);
	assert_false(below.unread);
	begin(two);
	print("hello");
	finish(REMAINS_IDLE);
	assert_string_equal(one->events, "o");
	assert_int_equal(answer_number(one, FIELD_EXECUTION), 1);
	assert_int_equal(two->answers, 0);
	idle();
	let_in();
	finish(REMAINS_IDLE);
	assert_int_equal(answer_number(two, FIELD_EXECUTION), 2);
}

static void test_the_queue_is_bounded(void **unused)
{
	struct peer *clients[6];

	(void)unused;
	let_in();
	for (int i = 0; i < 6; i++)
		clients[i] = make_client("1", 0);
	for (int i = 0; i < 5; i++)
		ask(clients[i], TICKET_CELL);
	assert_int_equal(clients[3]->answers, 0); /* one is served, three wait */
	assert_int_equal(clients[4]->refusal, REFUSAL_BUSY);
	hang_up(clients[2]);
	ask(clients[5], TICKET_CELL);
	assert_int_equal(clients[5]->answers, 0);
	session_end(session, "over");
	for (int i = 0; i < 6; i++)
		assert_int_equal(clients[i]->answers, 1);
}

/* It died before the cell began: the cell is done all the same, once, in its turn. */
static void test_a_cell_waits_for_recovery(void **unused)
{
	struct peer *one = make_client("1", 0);

	(void)unused;
	let_in();
	below.begin_error = -ENOENT;
	begin(one);
	assert_int_equal(state(), SESSION_RECOVERS);
	assert_int_equal(one->answers, 0);
	below.begin_error = 0;
	idle();
	let_in();
	finish(REMAINS_IDLE);
	assert_int_equal(answer_number(one, FIELD_EXECUTION), 1);
	assert_int_equal(answer_number(one, FIELD_STATE), STATE_RESTORED); /* it is told */
}

static void test_restored_and_lost(void **unused)
{
	struct peer *one = make_client("1", 0), *two = make_client("2", 0),
		    *three = make_client("3", 0), *four = make_client("4", 0);

	(void)unused;
	let_in();
	run_cell(one);
	kill_cell(two);
	assert_int_equal(answer_number(two, FIELD_STATE), STATE_RESTORED);
	assert_int_equal(state(), SESSION_FREEZES); /* its checkpoint has been used */
	idle();
	below.fresh = true;
	kill_cell(three);
	assert_int_equal(answer_number(three, FIELD_STATE), STATE_LOST);
	kill_cell(four); /* of a session with nothing in it nothing is lost */
	assert_int_equal(answer_number(four, FIELD_STATE), STATE_RESTORED);
}

static void test_what_a_cell_at_its_limit_left(void **unused)
{
	struct peer *one = make_client("1", 0), *two = make_client("2", 0),
		    *three = make_client("3", 0);

	(void)unused;
	let_in();
	below.tidied = TIDIED_PROCESSES;
	run_to_limit(one);
	assert_int_equal(one->answers, 0); /* not before they are dead */
	idle();
	assert_int_equal(answer_number(one, FIELD_STATE), STATE_KEPT);
	assert_true(answer_has(one, FIELD_NOTE, "processes"));
	idle();
	below.tidied = TIDIED_NOT_THREADS;
	run_to_limit(two);
	idle();
	assert_int_equal(state(), SESSION_RETURNS);
	idle();
	assert_int_equal(answer_number(two, FIELD_STATE), STATE_RESTORED);
	assert_true(answer_has(two, FIELD_NOTE, "threads running"));
	idle();
	below.others = false;
	run_to_limit(three);
	assert_int_equal(three->answers, 1);
	assert_true(answer_has(three, FIELD_NOTE, "kept as they were"));
	assert_false(answer_has(three, FIELD_NOTE, "processes"));
}

static void test_a_missing_checkpoint_is_told(void **unused)
{
	struct peer *one = make_client("1", 0), *two = make_client("2", 0),
		    *three = make_client("3", 0), *four = make_client("4", 0);

	(void)unused;
	let_in();
	below.checkpointed = false;
	run_cell(one);
	assert_false(answer_has(one, FIELD_NOTE, "checkpoint"));
	assert_int_equal(below.checkpoints, 0); /* an older one would be mistaken for it */
	run_cell(two);
	assert_true(answer_has(two, FIELD_NOTE, "process limit"));
	run_cell(three);
	assert_false(answer_has(three, FIELD_NOTE, "checkpoint")); /* once is enough */
	below.fresh = true;
	kill_cell(four);
	assert_int_equal(answer_number(four, FIELD_STATE), STATE_LOST);
	assert_true(answer_has(four, FIELD_NOTE, "process limit"));
}

static void test_large_sessions_are_not_frozen(void **unused)
{
	struct peer *one = make_client("1", 0), *two = make_client("2", 0);

	(void)unused;
	let_in();
	below.memory_bytes = 2 << 20;
	begin(one);
	finish(REMAINS_IDLE);
	assert_int_equal(state(), SESSION_READY);
	assert_int_equal(below.frozen, 0);
	begin(two);
	finish(REMAINS_IDLE);
	assert_true(answer_has(two, FIELD_NOTE, "more memory"));
}

static void test_reset_and_undo(void **unused)
{
	struct peer *one = make_client("1", 0), *undo = make_client("", 0),
		    *again = make_client("", 0), *reset = make_client("", FIELD_CLEAR_FILES);

	(void)unused;
	let_in();
	run_cell(one);
	ask(undo, TICKET_UNDO);
	assert_int_equal(state(), SESSION_REWINDS);
	assert_int_equal(below.dropped, 1);
	idle();
	assert_int_equal(undo->answer, FRAME_REPLY);
	assert_int_equal(answer_number(undo, FIELD_UNDO_LEVELS), 0);
	ask(again, TICKET_UNDO);
	assert_int_equal(again->refusal, REFUSAL_CONFLICT);
	ask(reset, TICKET_RESET);
	assert_true(below.cleared);
	idle();
	assert_int_equal(reset->answer, FRAME_REPLY);
	assert_int_equal(state(), SESSION_READY);
}

/* A command changes no variable: no checkpoint after it. */
static void test_commands(void **unused)
{
	struct peer *one = make_client("ls", FIELD_STREAM), *two = make_client("ls", 0);

	(void)unused;
	let_in();
	ask(one, TICKET_COMMAND);
	let_in();
	print("a");
	below.has_room = false;
	print("b");
	assert_true(below.held);
	below.has_room = true;
	one->call.has_room(&one->call);
	assert_false(below.held);
	finish(REMAINS_IDLE);
	assert_string_equal(one->events, "Soo");
	assert_int_equal(state(), SESSION_READY);
	ask(two, TICKET_COMMAND);
	let_in();
	hang_up(two);
	assert_true(below.interrupted);
	finish(REMAINS_IDLE);
}

/* -- clients that come and go ------------------------------------------------------------- */

static void test_hanging_up_interrupts(void **unused)
{
	struct peer *one = make_client("1", 0);

	(void)unused;
	let_in();
	begin(one);
	hang_up(one);
	assert_true(below.interrupted);
	finish(REMAINS_IDLE);
	idle();
}

static void test_detached_cells_go_on(void **unused)
{
	struct peer *one = make_client("1", FIELD_DETACH), *later = make_client("", 0);

	(void)unused;
	let_in();
	begin(one);
	print("early");
	hang_up(one);
	assert_false(below.interrupted);
	print("late");
	finish(REMAINS_IDLE);
	idle();
	cell_give(cells_find(&session->cells, 1), &later->call, 0);
	assert_int_equal(later->answer, FRAME_OUTCOME);
	assert_int_equal(later->text.length, 9);
	assert_memory_equal(later->text.data, "earlylate", 9);
	assert_true(answer_has(later, FIELD_CODE, "1"));
}

/* A stream's client may have lost its connection only. */
static void test_streams_wait_for_their_client(void **unused)
{
	struct peer *one = make_client("1", FIELD_STREAM), *back = make_client("", 0);

	(void)unused;
	executor.options.leave_ms = 60000;
	let_in();
	begin(one);
	print("early");
	hang_up(one);
	assert_false(below.interrupted);
	print("late");
	session_follow(session, cells_find(&session->cells, 1), &back->call, 2);
	assert_int_equal(session->leave.place, 0);
	print("live");
	finish(REMAINS_IDLE);
	assert_string_equal(one->events, "So");
	assert_string_equal(back->events, "Soo");
	assert_memory_equal(back->text.data, "latelive", 8);
	assert_int_equal(back->answer, FRAME_OUTCOME);
	idle();
}

static void test_streams_do_not_wait_for_ever(void **unused)
{
	struct peer *one = make_client("1", FIELD_STREAM);

	(void)unused;
	executor.options.leave_ms = 1;
	let_in();
	begin(one);
	hang_up(one);
	assert_int_equal(loop_run(executor.loop), 0); /* until it is interrupted */
	assert_true(below.interrupted);
	finish(REMAINS_IDLE);
}

/* Whoever reads slowly makes the program wait, until he reads or goes. */
static void test_slow_readers(void **unused)
{
	struct peer *one = make_client("1", FIELD_STREAM);

	(void)unused;
	executor.options.leave_ms = 60000;
	let_in();
	begin(one);
	below.has_room = false;
	print("a");
	assert_true(below.held);
	assert_string_equal(one->events, "S");
	below.has_room = true;
	one->call.has_room(&one->call);
	assert_false(below.held);
	assert_string_equal(one->events, "So");
	below.has_room = false;
	print("b");
	assert_true(below.held);
	hang_up(one);
	assert_false(below.held);
	finish(REMAINS_IDLE);
}

static void test_nobody_waits_for_readers_of_a_detached_cell(void **unused)
{
	struct peer *one = make_client("1", FIELD_DETACH), *slow = make_client("", 0);
	static char much[60000];

	(void)unused;
	memset(much, 'x', sizeof much - 1);
	let_in();
	begin(one);
	session_follow(session, cells_find(&session->cells, 1), &slow->call, 0);
	below.has_room = false;
	for (int i = 0; i < 3; i++)
		print(much);
	assert_false(below.held);
	assert_string_equal(slow->events, "S");
	finish(REMAINS_IDLE);
	assert_string_equal(slow->events, "Sgo"); /* the last that was kept */
	idle();
}

/* By signals that end its wait: nobody is told of it for ever. */
static void test_a_program_that_asks_and_asks(void **unused)
{
	struct peer *one = make_client("1", FIELD_INTERACTIVE);

	(void)unused;
	let_in();
	begin(one);
	for (int i = 0; i < 100; i++)
		below.run.input(below.run.context, (const uint8_t *)"? ", 2, false);
	assert_string_equal(one->events, "iiiiiiiiiiiiiiii");
	assert_int_equal(session_give_input(session, "a", 1, false), 0);
	below.run.input(below.run.context, (const uint8_t *)"? ", 2, false);
	assert_string_equal(one->events, "iiiiiiiiiiiiiiiii");
	finish(REMAINS_IDLE);
	idle();
}

static void test_input(void **unused)
{
	struct peer *one = make_client("1", FIELD_INTERACTIVE);

	(void)unused;
	let_in();
	assert_int_equal(session_give_input(session, "a", 1, false), -ESRCH);
	begin(one);
	assert_true(below.job.flags & MAILBOX_INTERACTIVE);
	assert_int_equal(below.places, 1);
	below.run.input(below.run.context, (const uint8_t *)"? ", 2, true);
	assert_string_equal(one->events, "i");
	assert_int_equal(below.places, 0); /* it takes nobody's place meanwhile */
	assert_int_equal(session_give_input(session, "a", 1, false), 0);
	assert_int_equal(below.places, 1);
	below.input_error = -ENOSPC;
	assert_int_equal(session_give_input(session, "a", 1, false), -ENOSPC);
	below.run.input(below.run.context, (const uint8_t *)"? ", 2, true);
	assert_true(session_interrupt(session));
	finish(REMAINS_IDLE);
	assert_false(session_interrupt(session));
	idle();
}

#define SESSION_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_names),
		SESSION_TEST(test_cells_in_order),
		SESSION_TEST(test_the_queue_is_bounded),
		SESSION_TEST(test_a_cell_waits_for_recovery),
		SESSION_TEST(test_restored_and_lost),
		SESSION_TEST(test_what_a_cell_at_its_limit_left),
		SESSION_TEST(test_a_missing_checkpoint_is_told),
		SESSION_TEST(test_large_sessions_are_not_frozen),
		SESSION_TEST(test_reset_and_undo),
		SESSION_TEST(test_commands),
		SESSION_TEST(test_hanging_up_interrupts),
		SESSION_TEST(test_detached_cells_go_on),
		SESSION_TEST(test_streams_wait_for_their_client),
		SESSION_TEST(test_streams_do_not_wait_for_ever),
		SESSION_TEST(test_slow_readers),
		SESSION_TEST(test_nobody_waits_for_readers_of_a_detached_cell),
		SESSION_TEST(test_input),
		SESSION_TEST(test_a_program_that_asks_and_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
