#include "executor/session/session.h"

#include <errno.h>
#include <stdlib.h>

struct call *ticket_take_call(struct ticket *ticket)
{
	struct call *call = ticket->call;

	ticket->call = NULL;
	if (call)
		call->cancel = NULL;
	return call;
}

void ticket_free(struct ticket *ticket)
{
	loop_clear_timer(ticket->tickets->loop, &ticket->timer);
	(void)ticket_take_call(ticket);
	free(ticket);
}

void ticket_refuse(struct ticket *ticket, enum refusal refusal, const char *message,
		   uint64_t retry_ms)
{
	struct call *call = ticket_take_call(ticket);

	ticket_free(ticket);
	if (call)
		call_refuse_busy(call, refusal, message, retry_ms);
}

static void unlink_ticket(struct ticket *ticket)
{
	struct tickets *tickets = ticket->tickets;
	struct ticket **link = &tickets->first;

	while (*link != ticket)
		link = &(*link)->next;
	*link = ticket->next;
	if (!*link)
		tickets->last = link;
	tickets->count--;
	ticket->waiting = false;
	loop_clear_timer(tickets->loop, &ticket->timer);
}

static void on_late(struct loop_timer *timer)
{
	struct ticket *ticket = LOOP_OWNER(timer, struct ticket, timer);
	struct tickets *tickets = ticket->tickets;

	unlink_ticket(ticket);
	ticket_refuse(ticket, REFUSAL_WAITED,
		      "The session was busy with earlier calls for longer than this one may take.",
		      0);
	tickets->left(tickets->context);
}

static void on_cancel(struct call *call)
{
	struct ticket *ticket = call->context;
	struct tickets *tickets = ticket->tickets;

	ticket->call = NULL;
	if (!ticket->waiting) {
		tickets->client_left(tickets->context, ticket);
		return;
	}
	unlink_ticket(ticket);
	ticket_free(ticket);
	tickets->left(tickets->context);
}

int tickets_add(struct tickets *tickets, struct call *call, enum ticket_kind kind,
		const struct limits *limits)
{
	if (tickets->count >= tickets->most)
		return -EAGAIN;
	struct ticket *ticket = calloc(1, sizeof *ticket);
	if (!ticket || loop_set_timer(tickets->loop, &ticket->timer,
				      loop_now_us() + limits->wall_ms * 1000, on_late)) {
		free(ticket);
		return -ENOMEM;
	}
	ticket->tickets = tickets;
	ticket->call = call;
	ticket->kind = kind;
	ticket->limits = *limits;
	ticket->waiting = true;
	call->context = ticket;
	call->cancel = on_cancel;
	*tickets->last = ticket;
	tickets->last = &ticket->next;
	tickets->count++;
	return 0;
}

struct ticket *tickets_take(struct tickets *tickets)
{
	struct ticket *ticket = tickets->first;

	if (ticket)
		unlink_ticket(ticket);
	return ticket;
}

void tickets_put_back(struct tickets *tickets, struct ticket *ticket)
{
	ticket->waiting = true;
	ticket->next = tickets->first;
	if (!tickets->first)
		tickets->last = &ticket->next;
	tickets->first = ticket;
	tickets->count++;
}

void tickets_refuse_all(struct tickets *tickets, enum refusal refusal, const char *message)
{
	struct ticket *ticket;

	while ((ticket = tickets_take(tickets)))
		ticket_refuse(ticket, refusal, message, 0);
}
