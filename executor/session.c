#define _GNU_SOURCE
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

#include "job.h"
#include "log.h"
#include "request.h"

static const char lost_note[] = "The session's variables are lost; it goes on empty.";
static const char restored_note[] =
	"The session's interpreter died between two cells; it went back to how it was after the "
	"last one. Threads and child processes were not kept.";

enum { REPLAY_BYTES_MAX = 4096 };

static void pump(struct session *session);
static void forget_replay(struct session *session);
static void begin_run(struct ticket *ticket);
static void own_sandbox(struct session *session);

uint64_t session_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct session *session_find(struct executor *executor, const char *id, size_t length)
{
	struct session *session = executor->sessions;

	while (session && (strlen(session->id) != length || memcmp(session->id, id, length)))
		session = session->next;
	return session;
}

/* -- tickets ------------------------------------------------------------------ */

static void free_ticket(struct ticket *ticket)
{
	struct executor *executor = ticket->session->executor;

	loop_clear_timer(executor->loop, &ticket->timer);
	admission_withdraw(executor->admission, &ticket->waiter);
	run_free(ticket->run);
	if (ticket->call)
		ticket->call->cancel = NULL;
	if (ticket->granted)
		admission_leave(executor->admission);
	free(ticket);
}

static void unlink_ticket(struct session *session, struct ticket *ticket)
{
	struct ticket **link = &session->first;

	while (*link && *link != ticket)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = ticket->next;
	if (!*link)
		session->last = link;
}

static void refuse_ticket(struct ticket *ticket, enum refusal refusal, const char *message,
			  uint64_t retry_ms)
{
	struct call *call = ticket->call;

	ticket->call = NULL;
	if (call)
		call->cancel = NULL;
	free_ticket(ticket);
	if (call)
		call_refuse_busy(call, refusal, message, retry_ms);
}

/* -- clocks of the session ------------------------------------------------------ */

static void on_idle_timer(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, idle);

	log_info("session %s ends: idle for %llu ms", session->id,
		 (unsigned long long)session->terms.idle_ms);
	session_end(session, "The session has ended: it was idle for too long.");
}

static void on_life_timer(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, life);

	log_info("session %s ends: it has reached its lifetime", session->id);
	session_end(session, "The session has ended: it has reached its lifetime.");
}

static bool is_busy(const struct session *session)
{
	return session->current || session->first;
}

/* Idle time counts from the end of the last request. */
static void touch(struct session *session)
{
	if (session->ended)
		return;
	session->last_used_ms = session_clock_ms();
	session->expires_ms = session->last_used_ms + session->terms.idle_ms;
	if (session->expires_ms - session->created_ms > session->terms.lifetime_ms)
		session->expires_ms = session->created_ms + session->terms.lifetime_ms;
	if (is_busy(session)) {
		loop_clear_timer(session->executor->loop, &session->idle);
		return;
	}
	if (loop_set_timer(session->executor->loop, &session->idle,
			   loop_now_us() + session->terms.idle_ms * 1000, on_idle_timer))
		log_error("session %s: no memory for its idle timer", session->id);
}

/* The interpreter is idle. A ticket may have waited while the session went back
 * by itself. */
static void go_on(struct session *session)
{
	session->phase = SESSION_READY;
	if (session->current) {
		session->phase = SESSION_RUNS;
		if (session->current->granted)
			begin_run(session->current);
		return;
	}
	pump(session);
}

/* -- getting a sandbox ------------------------------------------------------------ */

static void on_sandbox(struct waiter *waiter, struct sandbox *sandbox)
{
	struct session *session = LOOP_OWNER(waiter, struct session, waiter);

	session->sandbox = sandbox;
	own_sandbox(session);
	int error = sandbox_limit(sandbox, &session->limits);
	if (error) {
		log_error("session %s: cannot limit its sandbox: %s", session->id,
			  strerror(-error));
		session_end(session, "The session's sandbox could not be prepared.");
		return;
	}
	session->phase = SESSION_READY;
	while (session->wants_workspace && !session->ended) {
		struct call *call = session->wants_workspace;

		session->wants_workspace = call->next;
		session_give_workspace(session, call);
	}
	go_on(session);
}

static void on_no_sandbox(struct waiter *waiter)
{
	session_end(LOOP_OWNER(waiter, struct session, waiter),
		    "The service is busy: no sandbox became free in time.");
}

/* May end the session at once if the queue for sandboxes is full. */
static bool get_sandbox(struct session *session)
{
	session->phase = SESSION_WAITS;
	session->waiter = (struct waiter){ .needs_sandbox = true,
					   .granted = on_sandbox,
					   .expired = on_no_sandbox };
	return admission_enter(session->executor->admission, &session->waiter) == 0;
}

/* The sandbox itself is gone: go on in another one, with nothing in it. */
static void replace_sandbox(struct session *session)
{
	log_warn("session %s: its sandbox is gone; it goes on in another one", session->id);
	sandbox_kill(session->sandbox);
	session->sandbox = NULL;
	session->cells = 0;
	session->undo_levels = 0;
	session->executor->counters[COUNTER_LOST]++;
	if (!get_sandbox(session))
		session_end(session, "The session has ended: its sandbox is gone and there is "
				     "no other.");
}

/* -- between tickets ---------------------------------------------------------------- */

static void forget_checkpoints(struct session *session)
{
	sandbox_drop_checkpoints(session->sandbox);
	session->undo_levels = 0;
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	if (session->phase != SESSION_SETTLES)
		return;
	/* a state without a checkpoint must not be taken back to an older one */
	if (session->freezes && !sandbox_checkpointed(session->sandbox))
		forget_checkpoints(session);
	session->freezes = false;
	go_on(session);
}

static void go_back_alone(struct session *session)
{
	bool fresh = false;

	session->phase = SESSION_SETTLES;
	session->freezes = false;
	if (sandbox_restore(session->sandbox, 0, &fresh)) {
		replace_sandbox(session);
		return;
	}
	bool lost = fresh && session->cells;
	session->pending = lost ? STATE_LOST : STATE_RESTORED;
	session->pending_note = lost ? lost_note : restored_note;
	session->executor->counters[lost ? COUNTER_LOST : COUNTER_RESTORED]++;
	session->replay_due = session->replay != NULL;
	if (fresh) {
		session->cells = 0;
		session->undo_levels = 0;
	}
}

/* A thread that the program left has ended the interpreter. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)sandbox;
	(void)status;
	go_back_alone(context);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	struct session *session = context;

	(void)sandbox;
	session->pending = STATE_LOST;
	session->pending_note = lost_note;
	replace_sandbox(session);
}

static void own_sandbox(struct session *session)
{
	sandbox_set_owner(session->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								     .died = on_died,
								     .failed = on_failed,
								     .context = session });
}

/* After a cell: the way back for the next one. A state that has none must not
 * be mistaken for one that has: older checkpoints go. */
static void settle(struct session *session)
{
	struct cgroup_usage usage = { 0 };
	uint64_t most = session->executor->options.checkpoint_bytes;

	if (!session->cells) { /* a fresh interpreter needs none */
		session->phase = SESSION_READY;
		return;
	}
	session->phase = SESSION_SETTLES;
	session->freezes = true;
	(void)sandbox_read_usage(session->sandbox, &usage);
	if (usage.memory_bytes > most ||
	    sandbox_checkpoint(session->sandbox, session->terms.undo_depth + 1)) {
		forget_checkpoints(session);
		session->freezes = false;
		session->phase = SESSION_READY;
	}
}

/* -- serving a ticket ------------------------------------------------------------------ */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct ticket *ticket = context;

	if (ticket->call)
		call_output(ticket->call, stream, bytes, length);
}

static void forget_replay(struct session *session)
{
	free(session->replay);
	session->replay = NULL;
	session->replay_length = 0;
	session->replay_due = false;
}

/* A cell that can have changed nothing needs no way back; only `_` has its value,
 * which running it once more would give again. */
static bool is_pure(struct session *session, const struct ticket *ticket,
		    const struct outcome *outcome)
{
	if (ticket->kind != TICKET_CELL || !ticket->call || outcome->status != STATUS_SUCCESS ||
	    outcome->state != STATE_KEPT ||
	    fields_number(outcome->report, outcome->report_length, FIELD_PURE, 0) != 1)
		return false;
	struct field_view code = req_optional(ticket->call, FIELD_CODE);
	char *copy = code.length <= REPLAY_BYTES_MAX ? malloc(code.length + 1) : NULL;
	if (!copy)
		return false;
	memcpy(copy, code.value, code.length);
	forget_replay(session);
	session->replay = copy;
	session->replay_length = code.length;
	return true;
}

static void add_undo_level(struct session *session, bool pure)
{
	session->undo_pure = session->undo_pure << 1 | pure;
	if (session->undo_levels < session->terms.undo_depth)
		session->undo_levels++;
}

static void count_cell(struct session *session, const struct outcome *outcome)
{
	switch (outcome->state) {
	case STATE_KEPT:
		forget_replay(session);
		session->cells++;
		add_undo_level(session, false);
		break;
	case STATE_RESTORED:
		session->executor->counters[COUNTER_RESTORED]++;
		break;
	case STATE_LOST:
	case STATE_COUNT:
		session->executor->counters[COUNTER_LOST]++;
		forget_replay(session);
		session->cells = 0;
		session->undo_levels = 0;
		break;
	}
}

static void log_cell(const struct session *session, const char *id, const struct outcome *outcome)
{
	const char *reason = protocol_reason_name(outcome->reason);

	log_info("request %s: session %s cell %llu %s%s%s, %s, in %llu us", id, session->id,
		 (unsigned long long)session->executions, protocol_status_name(outcome->status),
		 reason ? " by " : "", reason ? reason : "", protocol_state_name(outcome->state),
		 (unsigned long long)outcome->wall_us);
}

static int render(const struct session *session, const struct outcome *outcome,
		  struct buffer *fields)
{
	int error = outcome_put(outcome, fields);

	if (!error)
		error = fields_put_number(fields, FIELD_EXECUTION, session->executions);
	if (!error)
		error = fields_put_text(fields, FIELD_SESSION_ID, session->id);
	return error;
}

/* Something happened while nobody asked: say it now. */
static void tell_pending(struct session *session, struct outcome *outcome)
{
	if (session->pending == STATE_KEPT || outcome->state != STATE_KEPT)
		return;
	outcome->state = session->pending;
	outcome->note = session->pending_note;
	session->pending = STATE_KEPT;
}

static void remember(struct session *session, const struct ticket *ticket,
		     const struct outcome *outcome)
{
	struct field_view code = { 0 };

	if (ticket->call)
		code = req_optional(ticket->call, FIELD_CODE);
	history_add(&session->history, session->executor->options.history_cells,
		    session->executions, session->started_ms, code.value, code.length, outcome);
}

static void on_finished(void *context, const struct outcome *run_outcome)
{
	struct ticket *ticket = context;
	struct session *session = ticket->session;
	struct call *call = ticket->call;
	struct outcome outcome = *run_outcome;
	bool pure = is_pure(session, ticket, &outcome);
	bool looked = pure || (ticket->kind != TICKET_CELL && outcome.state == STATE_KEPT);
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	bool gone = outcome.reason == REASON_INTERNAL || (outcome.note && !session->sandbox);
	bool cell = ticket->kind == TICKET_CELL;
	char id[160] = "-";

	if (call)
		call_request_id(call, id, sizeof id);
	if (ticket->kind != TICKET_COMMAND)
		session->replay_due = outcome.state == STATE_RESTORED && session->replay;
	if (cell) {
		session->executor->counters[COUNTER_CELLS]++;
		if (pure)
			add_undo_level(session, true);
		else
			count_cell(session, &outcome);
		tell_pending(session, &outcome);
		remember(session, ticket, &outcome);
	}
	int error = render(session, &outcome, &fields);
	own_sandbox(session);
	session->current = NULL;
	ticket->call = NULL;
	if (call)
		call->cancel = NULL;
	free_ticket(ticket);
	/* first the answer, then the log, then what the next cell needs */
	if (call && error)
		req_refuse_internal(call, "render the outcome", error);
	else if (call)
		call_finish(call, FRAME_OUTCOME, &fields);
	buffer_reset(&fields);
	if (cell)
		log_cell(session, id, &outcome);
	if (session->ended)
		return;
	if (gone || !sandbox_is_idle(session->sandbox))
		replace_sandbox(session);
	else if (looked) /* nothing to undo: no checkpoint more */
		session->phase = SESSION_READY;
	else
		settle(session);
	touch(session);
	pump(session);
}

static uint32_t job_kind(const struct ticket *ticket)
{
	switch (ticket->kind) {
	case TICKET_VARIABLES:
		return JOB_VARIABLES;
	case TICKET_COMMAND:
		return JOB_COMMAND;
	default:
		return JOB_CELL;
	}
}

static void begin_run(struct ticket *ticket)
{
	struct session *session = ticket->session;
	struct field_view code = req_optional(ticket->call, FIELD_CODE);
	struct field_view input = req_optional(ticket->call, FIELD_STDIN);
	bool cell = ticket->kind == TICKET_CELL;

	session->executions += cell;
	session->started_ms = session_clock_ms();
	int error = run_begin(
		&(struct run_config){
			.loop = session->executor->loop,
			.sandbox = session->sandbox,
			.limits = ticket->limits,
			.cpu_percent = session->executor->options.cpu_percent,
			.grace_ms = session->executor->options.interrupt_grace_ms,
			.job = { .kind = job_kind(ticket),
				 .replay = session->replay_due ? session->replay : NULL,
				 .replay_length = session->replay_due ? session->replay_length : 0,
				 .flags = session->profile->readonly ? MAILBOX_READONLY : 0,
				 .execution = session->executions,
				 .payload = code.value,
				 .payload_length = code.length,
				 .stdin_bytes = input.value,
				 .stdin_length = input.length },
			.has_state = session->cells > 0,
			.owner = { .output = on_output,
				   .finished = on_finished,
				   .context = ticket } },
		&ticket->run);
	if (!error)
		return;
	session->executions -= cell;
	if (error == -ENOENT) { /* it has died, and this comes before the warden's word of it */
		own_sandbox(session);
		go_back_alone(session); /* and then the ticket is served */
		return;
	}
	struct call *call = ticket->call;
	session->current = NULL;
	ticket->call = NULL;
	call->cancel = NULL;
	free_ticket(ticket);
	own_sandbox(session);
	req_refuse_internal(call, "start the cell", error);
	go_back_alone(session);
}

static void on_place(struct waiter *waiter, struct sandbox *sandbox)
{
	struct ticket *ticket = LOOP_OWNER(waiter, struct ticket, waiter);

	(void)sandbox;
	ticket->granted = true;
	if (ticket->session->phase == SESSION_RUNS) /* or else the sandbox is not ready yet */
		begin_run(ticket);
}

/* Its ticket waited for a place, while the session may have been going back. */
static void leave_current(struct session *session)
{
	session->current = NULL;
	if (session->phase == SESSION_RUNS)
		session->phase = SESSION_READY;
}

static void on_no_place(struct waiter *waiter)
{
	struct ticket *ticket = LOOP_OWNER(waiter, struct ticket, waiter);
	struct session *session = ticket->session;

	leave_current(session);
	session->executor->counters[COUNTER_REFUSED]++;
	refuse_ticket(ticket, REFUSAL_BUSY, "The service is busy: the cell waited too long.",
		      admission_retry_ms(session->executor->admission));
	touch(session);
	pump(session);
}

static void wait_for_place(struct ticket *ticket)
{
	ticket->waiter =
		(struct waiter){ .runs = true, .granted = on_place, .expired = on_no_place };
	if (admission_enter(ticket->session->executor->admission, &ticket->waiter))
		on_no_place(&ticket->waiter);
}

/* -- reset and undo: back, with an answer when it is done --------------------------------- */

static void on_back(void *context, struct sandbox *sandbox)
{
	struct session *session = context;
	struct ticket *ticket = session->current;
	struct call *call = ticket->call;
	struct buffer fields = BUFFER_INIT(4096);

	(void)sandbox;
	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	(void)fields_put_number(&fields, FIELD_UNDO_LEVELS, session->undo_levels);
	session->current = NULL;
	own_sandbox(session);
	ticket->call = NULL;
	free_ticket(ticket);
	if (call) {
		call->cancel = NULL;
		call_finish(call, FRAME_REPLY, &fields);
	}
	buffer_reset(&fields);
	settle(session);
	touch(session);
	pump(session);
}

static void on_back_failed(void *context, struct sandbox *sandbox)
{
	struct session *session = context;
	struct ticket *ticket = session->current;

	(void)sandbox;
	session->current = NULL;
	refuse_ticket(ticket, REFUSAL_INTERNAL, "The session could not go back.", 1000);
	own_sandbox(session);
	replace_sandbox(session);
}

static void on_back_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	on_back_failed(context, sandbox);
}

static void go_back_for(struct ticket *ticket, size_t drop)
{
	struct session *session = ticket->session;
	bool fresh = false;

	sandbox_set_owner(session->sandbox, &(struct sandbox_owner){ .idle = on_back,
								     .died = on_back_died,
								     .failed = on_back_failed,
								     .context = session });
	if (sandbox_restore(session->sandbox, drop, &fresh))
		on_back_failed(session, session->sandbox);
}

static void begin_reset(struct ticket *ticket)
{
	struct session *session = ticket->session;

	forget_replay(session);
	session->cells = 0;
	session->undo_levels = 0;
	session->pending = STATE_KEPT;
	if (ticket->call &&
	    fields_number(ticket->call->fields, ticket->call->length, FIELD_CLEAR_FILES, 0))
		sandbox_clear_workspace(session->sandbox);
	go_back_for(ticket, SIZE_MAX);
}

static void begin_undo(struct ticket *ticket)
{
	struct session *session = ticket->session;
	size_t alive = sandbox_checkpoints(session->sandbox);
	bool pure = session->undo_pure & 1;
	/* One checkpoint stands for the state after the last cell that changed
	 * something, the one below it for the state before that; before the first
	 * such cell a fresh interpreter will do. */
	size_t drop = pure ? 0 : 1;
	size_t needed = session->cells > drop ? drop + 1 : drop;

	if (!session->undo_levels || session->cells < drop || alive < needed) {
		session->current = NULL;
		session->phase = SESSION_READY;
		refuse_ticket(ticket, REFUSAL_CONFLICT, "There is no cell that can be undone.", 0);
		touch(session);
		pump(session);
		return;
	}
	forget_replay(session);
	session->cells -= drop;
	session->undo_levels--;
	session->undo_pure >>= 1;
	go_back_for(ticket, drop);
}

static void serve(struct ticket *ticket)
{
	switch (ticket->kind) {
	case TICKET_CELL:
	case TICKET_VARIABLES:
	case TICKET_COMMAND:
		wait_for_place(ticket);
		break;
	case TICKET_RESET:
		begin_reset(ticket);
		break;
	case TICKET_UNDO:
		begin_undo(ticket);
		break;
	}
}

/* Serve the next ticket, if the session can. */
static void pump(struct session *session)
{
	struct ticket *ticket = session->first;

	if (session->ended || session->phase != SESSION_READY || session->current || !ticket)
		return;
	unlink_ticket(session, ticket);
	loop_clear_timer(session->executor->loop, &ticket->timer);
	session->phase = SESSION_RUNS;
	session->current = ticket;
	serve(ticket);
}

/* -- the queue ------------------------------------------------------------------------------- */

static void on_waited(struct loop_timer *timer)
{
	struct ticket *ticket = LOOP_OWNER(timer, struct ticket, timer);
	struct session *session = ticket->session;

	unlink_ticket(session, ticket);
	refuse_ticket(ticket, REFUSAL_WAITED,
		      "The session was busy with earlier calls for longer than this one may take.",
		      0);
	touch(session);
}

/* The client has gone away: a waiting call is forgotten, a running cell is
 * interrupted, unless it was asked to go on. */
static void on_cancel(struct call *call)
{
	struct ticket *ticket = call->context;
	struct session *session = ticket->session;
	bool detach = fields_number(call->fields, call->length, FIELD_DETACH, 0);

	ticket->call = NULL;
	if (session->current == ticket) {
		if (ticket->run && !detach)
			run_interrupt(ticket->run);
		if (ticket->run || ticket->kind == TICKET_RESET || ticket->kind == TICKET_UNDO)
			return;
		leave_current(session);
	} else {
		unlink_ticket(session, ticket);
	}
	free_ticket(ticket);
	touch(session);
	pump(session);
}

void session_enqueue(struct session *session, struct call *call, enum ticket_kind kind,
		     const struct limits *limits)
{
	struct ticket *ticket = calloc(1, sizeof *ticket);

	if (!ticket || loop_set_timer(session->executor->loop, &ticket->timer,
				      loop_now_us() + limits->wall_ms * 1000, on_waited)) {
		free(ticket);
		call_refuse_busy(call, REFUSAL_INTERNAL, "Out of memory.", 1000);
		return;
	}
	ticket->session = session;
	ticket->call = call;
	ticket->kind = kind;
	ticket->limits = *limits;
	call->context = ticket;
	call->cancel = on_cancel;
	*session->last = ticket;
	session->last = &ticket->next;
	touch(session);
	pump(session);
}

bool session_interrupt(struct session *session)
{
	if (!session->current || !session->current->run)
		return false;
	run_interrupt(session->current->run);
	return true;
}

static void on_workspace_cancelled(struct call *call)
{
	struct session *session = call->context;
	struct call **link = &session->wants_workspace;

	while (*link && *link != call)
		link = &(*link)->next;
	if (*link)
		*link = call->next;
}

void session_give_workspace(struct session *session, struct call *call)
{
	struct buffer fields = BUFFER_INIT(4096);

	if (!session->sandbox) {
		call->next = session->wants_workspace;
		session->wants_workspace = call;
		call->context = session;
		call->cancel = on_workspace_cancelled;
		return;
	}
	call->cancel = NULL;
	int fd = sandbox_share_workspace(session->sandbox, call_peer(call));
	if (fd < 0) {
		req_refuse_internal(call, "share the workspace", fd);
		return;
	}
	touch(session);
	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	call_finish_with_fd(call, FRAME_REPLY, &fields, fd);
	close(fd);
	buffer_reset(&fields);
}

/* -- beginning and end ------------------------------------------------------------------------- */

struct session *session_new(struct executor *executor, const struct profile *profile,
			    const struct limits *limits, const struct session_limits *terms,
			    const char *id, size_t id_length, const char *client,
			    size_t client_length)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session)
		return NULL;
	if (client_length > SESSION_CLIENT_MAX)
		client_length = SESSION_CLIENT_MAX;
	session->executor = executor;
	session->profile = profile;
	session->limits = *limits;
	session->terms = *terms;
	memcpy(session->id, id, id_length);
	memcpy(session->client, client, client_length);
	session->last = &session->first;
	history_init(&session->history);
	session->next = executor->sessions;
	session->link = &executor->sessions;
	if (executor->sessions)
		executor->sessions->link = &session->next;
	executor->sessions = session;
	executor->session_count++;
	executor->counters[COUNTER_SESSIONS_MADE]++;
	session->created_ms = session_clock_ms();
	touch(session);
	if (loop_set_timer(executor->loop, &session->life,
			   loop_now_us() + terms->lifetime_ms * 1000, on_life_timer) ||
	    !get_sandbox(session))
		session_end(session, "The service is busy: no sandbox is free.");
	return session->ended ? NULL : session;
}

static void on_free_timer(struct loop_timer *timer)
{
	free(LOOP_OWNER(timer, struct session, life));
}

void session_end(struct session *session, const char *message)
{
	struct executor *executor = session->executor;

	if (session->ended)
		return;
	session->ended = true;

	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	executor->session_count--;
	loop_clear_timer(executor->loop, &session->idle);
	loop_clear_timer(executor->loop, &session->life);
	admission_withdraw(executor->admission, &session->waiter);
	if (session->sandbox)
		sandbox_kill(session->sandbox);
	while (session->wants_workspace) {
		struct call *call = session->wants_workspace;

		session->wants_workspace = call->next;
		call->cancel = NULL;
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_NONE, "%s", message);
	}
	if (session->current)
		refuse_ticket(session->current, REFUSAL_NO_SESSION, message, 0);
	while (session->first) {
		struct ticket *ticket = session->first;

		unlink_ticket(session, ticket);
		refuse_ticket(ticket, REFUSAL_NO_SESSION, message, 0);
	}
	session->current = NULL;
	session->sandbox = NULL;
	history_free(&session->history);
	forget_replay(session);
	/* whoever is in the middle of something with it finds it ended, not freed */
	if (loop_set_timer(executor->loop, &session->life, loop_now_us(), on_free_timer))
		log_error("session %s: no memory to free it", session->id);
}

void sessions_end_all(struct executor *executor)
{
	while (executor->sessions)
		session_end(executor->sessions, "The executor is shutting down.");
}
