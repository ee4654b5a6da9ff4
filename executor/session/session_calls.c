/* The FRAME_SESSION_* calls: parsed and checked here, done in session*.c. */
#include <stdlib.h>
#include <string.h>

#include "executor/environments/environment_calls.h"
#include "common/log.h"
#include "executor/server/request.h"
#include "executor/session/session.h"

/* As the API says: [A-Za-z0-9][A-Za-z0-9._-]{0,127}. */
static bool is_id(const struct field_view *id)
{
	static const char first[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (!id->length || id->length > SESSION_ID_MAX)
		return false;
	for (size_t i = 0; i < id->length; i++) {
		char c = (char)id->value[i];

		if (!c || !(strchr(first, c) || (i && strchr("._-", c))))
			return false;
	}
	return true;
}

static bool req_id(struct call *call, struct field_view *ret_id)
{
	*ret_id = req_optional(call, FIELD_SESSION_ID);
	if (is_id(ret_id))
		return true;
	call_refuse(call, REFUSAL_INVALID, FIELD_SESSION_ID,
		    "expected 1 to %d letters, digits, dots, dashes or underscores, the first a "
		    "letter or a digit",
		    SESSION_ID_MAX);
	return false;
}

static bool req_session(struct executor *executor, struct call *call, struct session **ret_session)
{
	struct field_view id;

	if (!req_id(call, &id))
		return false;
	*ret_session = session_find(executor, (const char *)id.value, id.length);
	if (*ret_session)
		return true;
	call_refuse(call, REFUSAL_NO_SESSION, FIELD_SESSION_ID, "There is no session of this id.");
	return false;
}

static size_t count_sessions(const struct executor *executor, const struct profile *profile,
			     const char *client, size_t client_length)
{
	size_t count = 0;

	for (const struct session *s = executor->sessions; s; s = s->next)
		count += profile ? s->profile == profile
				 : strlen(s->client) == client_length &&
					   !memcmp(s->client, client, client_length);
	return count;
}

static bool room_for_one_more(struct executor *executor, struct call *call,
			      const struct profile *profile, const struct field_view *client)
{
	const struct options *options = &executor->options;

	if (executor->session_count >= options->sessions ||
	    count_sessions(executor, profile, "", 0) >= profile->sessions) {
		executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, REFUSAL_SESSIONS_FULL, "There are too many sessions.", 5000);
		return false;
	}
	if (client->length && client->length <= SESSION_CLIENT_MAX &&
	    count_sessions(executor, NULL, (const char *)client->value, client->length) >=
		    options->sessions_per_client) {
		executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, REFUSAL_CLIENT_FULL,
				 "There are too many sessions of this client.", 5000);
		return false;
	}
	return true;
}

/* Refuses the call if that is not possible. */
static struct session *make(struct executor *executor, struct call *call)
{
	struct field_view client = req_optional(call, FIELD_CLIENT);
	struct field_view id;
	const struct profile *profile;
	struct environment *environment;
	struct limits base, limits;
	struct session_limits terms;

	if (!req_id(call, &id) || !req_profile(call, &profile) ||
	    !req_environment(call, executor->environments, profile, &environment))
		return NULL;
	base = environment_limits(environment, &profile->limits);
	if (!req_limits(call, &base, &limits) ||
	    !req_session_limits(call, &profile->session, &terms) ||
	    !room_for_one_more(executor, call, profile, &client))
		return NULL;
	struct session *session =
		session_new(executor, profile, environment, &limits, &terms, (const char *)id.value,
			    id.length, (const char *)client.value, client.length);
	if (!session)
		call_refuse_busy(call, REFUSAL_BUSY, "The service is busy: no sandbox is free.",
				 admission_retry_ms(executor->admission));
	return session;
}

static int put_session(const struct session *session, struct buffer *list)
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
		{ FIELD_UNDO_LEVELS, session->undo_levels },
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

static void reply_session(struct call *call, const struct session *session)
{
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = put_session(session, &fields);

	if (error)
		req_refuse_internal(call, "describe the session", error);
	else
		call_finish(call, FRAME_REPLY, &fields);
	buffer_reset(&fields);
}

void session_handle_create(void *context, struct call *call)
{
	struct executor *executor = context;
	struct field_view id;

	if (!req_id(call, &id))
		return;
	if (session_find(executor, (const char *)id.value, id.length)) {
		call_refuse(call, REFUSAL_SESSION_EXISTS, FIELD_SESSION_ID,
			    "There is a session of this id already.");
		return;
	}
	struct session *session = make(executor, call);
	if (session)
		reply_session(call, session);
}

/* The session that is named, made if the call allows it; else refuses the call. */
static struct session *find_or_make(struct executor *executor, struct call *call)
{
	struct session *session = NULL;
	struct field_view id;

	if (fields_number(call->fields, call->length, FIELD_CREATE, 0)) {
		if (!req_id(call, &id))
			return NULL;
		session = session_find(executor, (const char *)id.value, id.length);
		return session ? session : make(executor, call);
	}
	return req_session(executor, call, &session) ? session : NULL;
}

static void enqueue_code(struct executor *executor, struct call *call, enum ticket_kind kind)
{
	struct field_view code;
	struct limits limits;

	if (!req_code(call, &code))
		return;
	struct session *session = find_or_make(executor, call);
	if (session && req_limits(call, &session->limits, &limits)) {
		/* what holds for the sandbox as a whole stays the session's */
		limits.memory_bytes = session->limits.memory_bytes;
		limits.processes = session->limits.processes;
		limits.workspace_bytes = session->limits.workspace_bytes;
		limits.workspace_inodes = session->limits.workspace_inodes;
		session_enqueue(session, call, kind, &limits);
	}
}

void session_handle_execute(void *context, struct call *call)
{
	enqueue_code(context, call, TICKET_CELL);
}

void session_handle_run(void *context, struct call *call)
{
	struct field_view code = req_optional(call, FIELD_CODE);
	struct session *session;

	if (memchr(code.value, 0, code.length)) {
		call_refuse(call, REFUSAL_INVALID, FIELD_CODE, "expected a command without NUL");
		return;
	}
	if (code.length > COMMAND_BYTES_MAX) {
		call_refuse(call, REFUSAL_INVALID, FIELD_CODE,
			    "expected a command of at most %d bytes", COMMAND_BYTES_MAX);
		return;
	}
	if (!req_session(context, call, &session))
		return;
	if (session->profile->readonly) /* its walls are the interpreter's own */
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE,
			    "Sessions of this profile run no commands.");
	else
		enqueue_code(context, call, TICKET_COMMAND);
}

void session_handle_workspace(void *context, struct call *call)
{
	struct session *session = find_or_make(context, call);

	if (session)
		session_give_workspace(session, call);
}

static void enqueue_plain(struct executor *executor, struct call *call, enum ticket_kind kind)
{
	struct session *session;

	if (req_session(executor, call, &session))
		session_enqueue(session, call, kind, &session->limits);
}

void session_handle_reset(void *context, struct call *call)
{
	enqueue_plain(context, call, TICKET_RESET);
}

void session_handle_undo(void *context, struct call *call)
{
	enqueue_plain(context, call, TICKET_UNDO);
}

void session_handle_variables(void *context, struct call *call)
{
	enqueue_plain(context, call, TICKET_VARIABLES);
}

static void reply_nothing(struct call *call)
{
	struct buffer fields = BUFFER_INIT(0);

	call_finish(call, FRAME_REPLY, &fields);
}

void session_handle_interrupt(void *context, struct call *call)
{
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	if (session_interrupt(session))
		reply_nothing(call);
	else
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE, "No cell is running.");
}

void session_handle_show(void *context, struct call *call)
{
	struct session *session;

	if (req_session(context, call, &session))
		reply_session(call, session);
}

void session_handle_list(void *context, struct call *call)
{
	const struct executor *executor = context;
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = 0;

	for (const struct session *s = executor->sessions; !error && s; s = s->next) {
		AUTO_BUFFER one = BUFFER_INIT(4096);

		error = put_session(s, &one);
		if (!error)
			error = fields_put_bytes(&fields, FIELD_SESSION, one.data, one.length);
	}
	if (error)
		req_refuse_internal(call, "list the sessions", error);
	else
		call_finish(call, FRAME_REPLY, &fields);
	buffer_reset(&fields);
}

void session_handle_history(void *context, struct call *call)
{
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	int error = history_put(&session->history, &fields);
	if (error)
		req_refuse_internal(call, "give the history", error);
	else
		call_finish(call, FRAME_REPLY, &fields);
	buffer_reset(&fields);
}

void session_handle_delete(void *context, struct call *call)
{
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	log_info("session %s is deleted", session->id);
	session_end(session, "The session has been deleted.");
	reply_nothing(call);
}
