/* tickets.h - what is asked of a session: calls that wait for their turn, in order.
 *
 * A ticket waits no longer than the time that its call may take, and leaves when its
 * client does. Taken out by tickets_take() it is its taker's. */
#ifndef VIVARIUM_TICKETS_H
#define VIVARIUM_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/loop/loop.h"
#include "executor/run/profile.h"
#include "executor/server/server.h"

enum ticket_kind { TICKET_CELL, TICKET_VARIABLES, TICKET_COMMAND, TICKET_RESET, TICKET_UNDO };

struct tickets;

struct ticket {
	struct tickets *tickets;
	struct ticket *next;
	struct call *call; /* NULL: answered, or its client has gone */
	enum ticket_kind kind;
	struct limits limits;
	struct loop_timer timer;
	bool waiting;
};

struct tickets {
	struct loop *loop;
	struct ticket *first, **last;
	size_t count, most;
	/* One that waited has left the queue. */
	void (*left)(void *context);
	/* The client of one that was taken has gone; its call is NULL now. */
	void (*client_left)(void *context, struct ticket *ticket);
	void *context;
};

/* Put a call at the end. 0; -EAGAIN: too many wait; -ENOMEM. */
int tickets_add(struct tickets *tickets, struct call *call, enum ticket_kind kind,
		const struct limits *limits);

/* The first one; NULL if none waits. */
struct ticket *tickets_take(struct tickets *tickets);

/* One that was taken is the first again, and waits for as long as it takes. */
void tickets_put_back(struct tickets *tickets, struct ticket *ticket);

/* Its call, which the caller answers; NULL if nobody waits for that. */
struct call *ticket_take_call(struct ticket *ticket);

/* Take one and refuse it, for each. */
void tickets_refuse_all(struct tickets *tickets, enum refusal refusal, const char *message);

void ticket_refuse(struct ticket *ticket, enum refusal refusal, const char *message,
		   uint64_t retry_ms);
void ticket_free(struct ticket *ticket);

#endif
