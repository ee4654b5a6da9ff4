#include "executor/session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "executor/server/request.h"
#include "executor/session/session_parts.h"

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

/* -- its clocks ------------------------------------------------------------------- */

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
void session_touch(struct session *session)
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

/* -- getting a sandbox ------------------------------------------------------------ */

static void on_sandbox(struct waiter *waiter, struct sandbox *sandbox)
{
	struct session *session = LOOP_OWNER(waiter, struct session, waiter);

	session->sandbox = sandbox;
	session_own_sandbox(session);
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
	session_go_on(session);
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
	if (environment_start(session->environment))
		return false;
	session->waiter = (struct waiter){ .pool = environment_pool(session->environment),
					   .granted = on_sandbox,
					   .expired = on_no_sandbox };
	return admission_enter(session->executor->admission, &session->waiter) == 0;
}

/* The sandbox itself is gone: go on in another one, with nothing in it. */
void session_replace_sandbox(struct session *session)
{
	log_warn("session %s: its sandbox is gone; it goes on in another one", session->id);
	sandbox_kill(session->sandbox);
	session->sandbox = NULL;
	session_be_empty(session);
	session->executor->counters[COUNTER_LOST]++;
	if (!get_sandbox(session))
		session_end(session, "The session has ended: its sandbox is gone and there is "
				     "no other.");
}

/* -- what needs no turn ----------------------------------------------------------- */

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
	session_touch(session);
	(void)fields_put_text(&fields, FIELD_SESSION_ID, session->id);
	call_finish_with_fd(call, FRAME_REPLY, &fields, fd);
	close(fd);
	buffer_reset(&fields);
}

/* -- beginning and end ------------------------------------------------------------ */

struct session *session_new(struct executor *executor, const struct profile *profile,
			    struct environment *environment, const struct limits *limits,
			    const struct session_limits *terms, const char *id, size_t id_length,
			    const char *client, size_t client_length)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session)
		return NULL;
	if (environment_hold(environment)) {
		free(session);
		return NULL;
	}
	if (client_length > SESSION_CLIENT_MAX)
		client_length = SESSION_CLIENT_MAX;
	session->executor = executor;
	session->profile = profile;
	session->environment = environment;
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
	session_touch(session);
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
		ticket_refuse(session->current, REFUSAL_NO_SESSION, message, 0);
	while (session->first) {
		struct ticket *ticket = session->first;

		ticket_unlink(session, ticket);
		ticket_refuse(ticket, REFUSAL_NO_SESSION, message, 0);
	}
	session->current = NULL;
	session->sandbox = NULL;
	environment_release(session->environment);
	history_free(&session->history);
	session_be_empty(session);
	/* whoever is in the middle of something with it finds it ended, not freed */
	if (loop_set_timer(executor->loop, &session->life, loop_now_us(), on_free_timer))
		log_error("session %s: no memory to free it", session->id);
}

void sessions_end_all(struct executor *executor)
{
	while (executor->sessions)
		session_end(executor->sessions, "The executor is shutting down.");
}
