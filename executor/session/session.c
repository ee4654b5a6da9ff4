#include "executor/session/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "executor/server/server.h"
#include "executor/session/session_parts.h"

/* -- all of them ---------------------------------------------------------------------- */

struct session *session_find(struct executor *executor, const char *id, size_t length)
{
	struct session *session = executor->sessions;

	while (session && (strlen(session->id) != length || memcmp(session->id, id, length)))
		session = session->next;
	return session;
}

size_t session_count_profile(const struct executor *executor, const struct profile *profile)
{
	size_t count = 0;

	for (const struct session *s = executor->sessions; s; s = s->next)
		count += s->profile == profile;
	return count;
}

size_t session_count_client(const struct executor *executor, const char *client, size_t length)
{
	size_t count = 0;

	for (const struct session *s = executor->sessions; s; s = s->next)
		count += strlen(s->client) == length && !memcmp(s->client, client, length);
	return count;
}

int sessions_put(const struct executor *executor, struct buffer *list)
{
	int error = 0;

	for (const struct session *s = executor->sessions; !error && s; s = s->next) {
		AUTO_BUFFER one = BUFFER_INIT(4096);

		error = session_put(s, &one);
		if (!error)
			error = fields_put_bytes(list, FIELD_SESSION, one.data, one.length);
	}
	return error;
}

void sessions_end_all(struct executor *executor)
{
	while (executor->sessions)
		session_end(executor->sessions, "The executor is shutting down.");
}

/* -- what it is ------------------------------------------------------------------------ */

const struct profile *session_profile(const struct session *session)
{
	return session->profile;
}

struct environment *session_environment(const struct session *session)
{
	return session->environment;
}

const struct limits *session_limits_of(const struct session *session)
{
	return &session->limits;
}

struct cells *session_cells(struct session *session)
{
	return &session->cells;
}

int session_put(const struct session *session, struct buffer *list)
{
	const struct {
		unsigned field;
		uint64_t value;
	} numbers[] = {
		{ FIELD_CREATED_MS, session->created_ms },
		{ FIELD_LAST_USED_MS, session->last_used_ms },
		{ FIELD_EXPIRES_MS, session->expires_ms },
		{ FIELD_EXECUTIONS, session->executions },
		{ FIELD_RUNNING, session->current != NULL },
		{ FIELD_WAITS_FOR_INPUT, session->machine.state == SESSION_ASKS },
		{ FIELD_UNDO_LEVELS, session->undo.count },
	};
	struct cgroup_usage usage = { 0 };
	int error = fields_put_text(list, FIELD_SESSION_ID, session->id);

	if (!error)
		error = fields_put_text(list, FIELD_PROFILE, session->profile->name);
	if (!error)
		error = fields_put_text(list, FIELD_ENVIRONMENT,
					environment_manifest(session->environment)->name);
	for (size_t i = 0; !error && i < sizeof numbers / sizeof *numbers; i++)
		error = fields_put_number(list, numbers[i].field, numbers[i].value);
	if (!error)
		error = limits_put(&session->limits, list);
	if (!error)
		error = session_limits_put(&session->terms, list);
	if (!error && session->sandbox && !sandbox_read_usage(session->sandbox, &usage)) {
		error = fields_put_number(list, FIELD_CPU_US, usage.cpu_us);
		if (!error)
			error = fields_put_number(list, FIELD_SIZE_BYTES, usage.memory_bytes);
		if (!error)
			error = fields_put_number(list, FIELD_MEMORY_PEAK_BYTES,
						  usage.memory_peak_bytes);
	}
	return error;
}

/* -- what is asked of it ---------------------------------------------------------------- */

void session_enqueue(struct session *session, struct call *call, enum ticket_kind kind,
		     const struct limits *limits)
{
	int error = tickets_add(&session->tickets, call, kind, limits);

	if (error == -EAGAIN) {
		session->executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, REFUSAL_BUSY, "Too many calls wait for this session.", 1000);
		return;
	}
	if (error) {
		req_refuse_internal(call, "queue the call", error);
		return;
	}
	session_touch(session);
	session_happens(session, EV_NEXT);
}

static bool has_job(const struct session *session)
{
	return session->machine.state == SESSION_RUNS || session->machine.state == SESSION_ASKS;
}

bool session_interrupt(struct session *session)
{
	if (!has_job(session))
		return false;
	session_happens(session, EV_INTERRUPT);
	return true;
}

int session_give_input(struct session *session, const void *bytes, size_t length, bool eof)
{
	if (!has_job(session) || !session->cell)
		return -ESRCH;
	session->input.bytes = bytes;
	session->input.length = length;
	session->input.eof = eof;
	session->input.error = 0;
	session_happens(session, EV_INPUT);
	return session->input.error;
}

void session_follow(struct session *session, struct cell *cell, struct call *call, uint64_t from)
{
	loop_clear_timer(session->executor->loop, &session->leave);
	cell_follow(cell, call, from, true, false);
}

/* -- beginning --------------------------------------------------------------------------- */

static void on_life(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, life);

	log_info("session %s ends: it has reached its lifetime", session->id);
	session_end(session, "The session has ended: it has reached its lifetime.");
}

static void on_ticket_left(void *context)
{
	session_touch(context);
}

static void on_client_left(void *context, struct ticket *ticket)
{
	struct session *session = context;

	(void)ticket;
	session_happens(session, EV_LEFT);
}

/* What the table does not have costs the sandbox: nobody knows what state it is in. */
static void on_impossible(struct session *session, enum session_state state,
			  enum session_event event)
{
	if (state == SESSION_ENDED)
		return;
	log_error("session %s: \"%s\" cannot happen in the state \"%s\"", session->id,
		  session_event_name(event), session_state_name(state));
	if (!session->sandbox)
		return;
	session->machine.state = SESSION_WAITS;
	if (session->run) {
		session->outcome = (struct outcome){ .status = STATUS_FAILED,
						     .reason = REASON_INTERNAL,
						     .return_code = -SIGKILL };
		session_finish_lost(session);
	} else {
		session_replace_and_retry(session);
	}
}

static void enlist(struct session *session)
{
	struct executor *executor = session->executor;

	session->next = executor->sessions;
	session->link = &executor->sessions;
	if (executor->sessions)
		executor->sessions->link = &session->next;
	executor->sessions = session;
	executor->session_count++;
	executor->counters[COUNTER_SESSIONS_MADE]++;
}

struct session *session_new(struct executor *executor, const struct session_config *config)
{
	struct session *session = calloc(1, sizeof *session);
	size_t client_length = config->client_length;

	if (!session)
		return NULL;
	if (environment_hold(config->environment)) {
		free(session);
		return NULL;
	}
	if (client_length > SESSION_CLIENT_MAX)
		client_length = SESSION_CLIENT_MAX;
	session->executor = executor;
	session->profile = config->profile;
	session->environment = config->environment;
	session->limits = config->limits;
	session->terms = config->terms;
	memcpy(session->id, config->id, config->id_length);
	memcpy(session->client, config->client, client_length);
	session->undo.depth = config->terms.undo_depth;
	session->tickets = (struct tickets){ .loop = executor->loop,
					     .last = &session->tickets.first,
					     .most = executor->options.session_queue,
					     .left = on_ticket_left,
					     .client_left = on_client_left,
					     .context = session };
	session->machine = (struct session_machine){ .session = session,
						     .table = &session_steps,
						     .impossible = on_impossible,
						     .state = SESSION_WAITS };
	cells_init(&session->cells, &executor->histories);
	enlist(session);
	session->created_ms = session_clock_ms();
	session_touch(session);
	if (loop_set_timer(executor->loop, &session->life,
			   loop_now_us() + config->terms.lifetime_ms * 1000, on_life))
		session_end(session, "Out of memory.");
	else
		session_get_sandbox(session);
	return session->machine.state == SESSION_ENDED ? NULL : session;
}

void session_end(struct session *session, const char *message)
{
	session->end_message = message;
	session_happens(session, EV_END);
}
