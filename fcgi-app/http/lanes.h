/* lanes.h - who may be served now, by client address. Pure: no threads, no clock.
 *
 * A lane has a number of places, and one client at most a share of them. Who finds
 * no place waits; places that become free go to the waiting clients in turn, so
 * that a client with a hundred requests does not go before one with a single one. */
#ifndef VIVARIUM_LANES_H
#define VIVARIUM_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { LANES_CLIENT_BYTES = 64 };

struct lanes_limits {
	unsigned places, places_per_client;
	unsigned waiting, waiting_per_client;
};

struct lanes_client;

/* One request; part of what its owner keeps about it. */
struct lanes_ticket {
	struct lanes_client *client;
	struct lanes_ticket *next;
	int64_t since_ms;
};

struct lanes {
	struct lanes_limits limits;
	unsigned busy, waiting;
	struct lanes_client *first, *last; /* all that have a place or wait, in turn */
};

enum lanes_answer {
	LANES_GO,   /* it has a place, until lanes_leave() */
	LANES_WAIT, /* it has none yet: lanes_leave() of another may name it, or lanes_expire() */
	LANES_FULL, /* too many wait, or there is no memory: nothing is kept */
};

enum lanes_answer lanes_enter(struct lanes *lanes, struct lanes_ticket *ticket, const char *client,
			      int64_t now_ms);

/* The place is free: who has it now, or NULL. */
struct lanes_ticket *lanes_leave(struct lanes *lanes, struct lanes_ticket *ticket);

/* One that has waited since before then, and waits no more; NULL: there is none. */
struct lanes_ticket *lanes_expire(struct lanes *lanes, int64_t before_ms);

#endif
