/* The FRAME_SESSION_* calls: parsed and checked here, done in session*.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "executor/environments/environments.h"
#include "executor/server/server.h"
#include "executor/session/session.h"

enum { INPUT_BYTES_MAX = 1 << 20 };

/* -- which session it is about ------------------------------------------------------------ */

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

/* These two refuse the call and give false: without a proper id; where there is no
 * session of that id. */
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

static void reply(struct call *call, const char *what, int error, const struct buffer *fields)
{
	if (error)
		req_refuse_internal(call, what, error);
	else
		call_finish(call, FRAME_REPLY, fields);
}

/* -- sessions ----------------------------------------------------------------------------- */

static bool room_for_one_more(struct executor *executor, struct call *call,
			      const struct profile *profile, const struct field_view *client)
{
	const struct options *options = &executor->options;

	if (executor->session_count >= options->sessions ||
	    session_count_profile(executor, profile) >= profile->sessions) {
		executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, REFUSAL_SESSIONS_FULL, "There are too many sessions.", 5000);
		return false;
	}
	if (client->length && client->length <= SESSION_CLIENT_MAX &&
	    session_count_client(executor, (const char *)client->value, client->length) >=
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
	struct limits limits;
	struct session_limits terms;

	if (!req_id(call, &id) || !req_profile(call, &profile) ||
	    !req_environment(call, executor->environments, profile, &environment))
		return NULL;
	struct limits base = environment_limits(environment, &profile->limits);
	if (!req_limits(call, &base, &limits) ||
	    !req_session_limits(call, &profile->session, &terms) ||
	    !room_for_one_more(executor, call, profile, &client))
		return NULL;
	struct session *session = session_new(
		executor, &(struct session_config){ .profile = profile,
						    .environment = environment,
						    .limits = limits,
						    .terms = terms,
						    .id = (const char *)id.value,
						    .id_length = id.length,
						    .client = (const char *)client.value,
						    .client_length = client.length });
	if (!session)
		call_refuse_busy(call, REFUSAL_BUSY, "The service is busy: no sandbox is free.",
				 admission_retry_ms(executor->admission));
	return session;
}

static void reply_session(struct call *call, const struct session *session)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);

	reply(call, "describe the session", session_put(session, &fields), &fields);
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

	if (req_number(call, FIELD_CREATE)) {
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
	if (!session)
		return;
	const struct limits *own = session_limits_of(session);
	if (!req_run_limits(call, own, session_profile(session), &executor->options, &limits))
		return;
	/* what holds for the sandbox as a whole stays the session's */
	limits.memory_bytes = own->memory_bytes;
	limits.processes = own->processes;
	limits.workspace_bytes = own->workspace_bytes;
	limits.workspace_inodes = own->workspace_inodes;
	session_enqueue(session, call, kind, &limits);
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
	if (session_profile(session)->readonly) /* its walls are the interpreter's own */
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
		session_enqueue(session, call, kind, session_limits_of(session));
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
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);

	reply(call, "list the sessions", sessions_put(context, &fields), &fields);
}

void session_handle_history(void *context, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct session *session;

	if (req_session(context, call, &session))
		reply(call, "give the history", cells_put_history(session_cells(session), &fields),
		      &fields);
}

void session_handle_delete(void *context, struct call *call)
{
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	struct field_view id = req_optional(call, FIELD_SESSION_ID);
	log_info("session %.*s is deleted", (int)id.length, (const char *)id.value);
	session_end(session, "The session has been deleted.");
	reply_nothing(call);
}

/* -- its cells: their input, what is kept of them -------------------------------------------- */

void session_handle_stdin(void *context, struct call *call)
{
	struct field_view input = req_optional(call, FIELD_STDIN);
	AUTO_BUFFER nothing = BUFFER_INIT(0);
	struct session *session;

	if (input.length > INPUT_BYTES_MAX) {
		call_refuse(call, REFUSAL_INVALID, FIELD_STDIN, "expected at most %d bytes",
			    INPUT_BYTES_MAX);
		return;
	}
	if (!req_session(context, call, &session))
		return;
	int error = session_give_input(session, input.value, input.length,
				       req_number(call, FIELD_END_OF_INPUT));
	if (error == -ENOSPC)
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE,
			    "The program has not read what came before; it reads no faster.");
	else if (error == -ESRCH || error == -EPIPE)
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE,
			    "No interactive cell that takes input is running.");
	else
		reply(call, "pass the input on", error, &nothing);
}

void session_handle_cells(void *context, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct session *session;

	if (req_session(context, call, &session))
		reply(call, "list the cells", cells_put_short(session_cells(session), &fields),
		      &fields);
}

void session_handle_cell(void *context, struct call *call)
{
	uint64_t from = req_number(call, FIELD_SEQUENCE);
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	struct cell *cell = cells_find(session_cells(session), req_number(call, FIELD_EXECUTION));
	if (!cell)
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_EXECUTION,
			    "There is no cell of this number, or it is not kept any more.");
	else if (req_number(call, FIELD_FOLLOW) && !cell_is_over(cell))
		session_follow(session, cell, call, from);
	else
		cell_give(cell, call, from);
}
