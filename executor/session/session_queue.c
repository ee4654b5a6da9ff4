/* What is asked of a session: tickets, served in order, one at a time. */
#include <stdlib.h>
#include <string.h>

#include "executor/session/session_parts.h"

void ticket_free(struct ticket *ticket)
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

void ticket_unlink(struct session *session, struct ticket *ticket)
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

void ticket_refuse(struct ticket *ticket, enum refusal refusal, const char *message,
		   uint64_t retry_ms)
{
	struct call *call = ticket->call;

	ticket->call = NULL;
	if (call)
		call->cancel = NULL;
	ticket_free(ticket);
	if (call)
		call_refuse_busy(call, refusal, message, retry_ms);
}

/* -- serving ---------------------------------------------------------------------- */

static void on_place(struct waiter *waiter, struct sandbox *sandbox)
{
	struct ticket *ticket = LOOP_OWNER(waiter, struct ticket, waiter);

	(void)sandbox;
	ticket->granted = true;
	if (ticket->session->phase == SESSION_RUNS) /* or else the sandbox is not ready yet */
		ticket_begin_run(ticket);
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
	ticket_refuse(ticket, REFUSAL_BUSY, "The service is busy: the cell waited too long.",
		      admission_retry_ms(session->executor->admission));
	session_touch(session);
	session_pump(session);
}

static void wait_for_place(struct ticket *ticket)
{
	ticket->waiter =
		(struct waiter){ .runs = true, .granted = on_place, .expired = on_no_place };
	if (admission_enter(ticket->session->executor->admission, &ticket->waiter))
		on_no_place(&ticket->waiter);
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
		ticket_begin_reset(ticket);
		break;
	case TICKET_UNDO:
		ticket_begin_undo(ticket);
		break;
	}
}

/* Serve the next ticket, if the session can. */
void session_pump(struct session *session)
{
	struct ticket *ticket = session->first;

	if (session->ended || session->phase != SESSION_READY || session->current || !ticket)
		return;
	ticket_unlink(session, ticket);
	loop_clear_timer(session->executor->loop, &ticket->timer);
	session->phase = SESSION_RUNS;
	session->current = ticket;
	serve(ticket);
}

/* The interpreter is idle. A ticket may have waited while the session went back
 * by itself. */
void session_go_on(struct session *session)
{
	session->phase = SESSION_READY;
	if (session->current) {
		session->phase = SESSION_RUNS;
		if (session->current->granted)
			ticket_begin_run(session->current);
		return;
	}
	session_pump(session);
}

/* -- waiting ---------------------------------------------------------------------- */

static void on_waited(struct loop_timer *timer)
{
	struct ticket *ticket = LOOP_OWNER(timer, struct ticket, timer);
	struct session *session = ticket->session;

	ticket_unlink(session, ticket);
	ticket_refuse(ticket, REFUSAL_WAITED,
		      "The session was busy with earlier calls for longer than this one may take.",
		      0);
	session_touch(session);
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
		ticket_unlink(session, ticket);
	}
	ticket_free(ticket);
	session_touch(session);
	session_pump(session);
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
	session_touch(session);
	session_pump(session);
}
