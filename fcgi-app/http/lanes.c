#include "fcgi-app/http/lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lanes_client {
	char name[LANES_CLIENT_BYTES];
	unsigned busy, waiting;
	struct lanes_ticket *first, *last;
	struct lanes_client *next;
};

static struct lanes_client *find_client(const struct lanes *lanes, const char *name)
{
	struct lanes_client *client = lanes->first;

	while (client && strncmp(client->name, name, sizeof client->name - 1) != 0)
		client = client->next;
	return client;
}

static void add_last(struct lanes *lanes, struct lanes_client *client)
{
	client->next = NULL;
	if (lanes->last)
		lanes->last->next = client;
	else
		lanes->first = client;
	lanes->last = client;
}

static void take_out(struct lanes *lanes, struct lanes_client *client)
{
	struct lanes_client **at = &lanes->first;
	struct lanes_client *before = NULL;

	for (; *at != client; at = &(*at)->next)
		before = *at;
	*at = client->next;
	if (lanes->last == client)
		lanes->last = before;
}

static struct lanes_client *add_client(struct lanes *lanes, const char *name)
{
	struct lanes_client *client = calloc(1, sizeof *client);

	if (!client)
		return NULL;
	snprintf(client->name, sizeof client->name, "%s", name);
	add_last(lanes, client);
	return client;
}

static void forget_if_idle(struct lanes *lanes, struct lanes_client *client)
{
	if (client->busy || client->waiting)
		return;
	take_out(lanes, client);
	free(client);
}

enum lanes_answer lanes_enter(struct lanes *lanes, struct lanes_ticket *ticket, const char *name,
			      int64_t now_ms)
{
	struct lanes_client *client = find_client(lanes, name);

	if (!client)
		client = add_client(lanes, name);
	if (!client)
		return LANES_FULL;
	*ticket = (struct lanes_ticket){ .client = client, .since_ms = now_ms };
	if (lanes->busy < lanes->limits.places && client->busy < lanes->limits.places_per_client) {
		lanes->busy++;
		client->busy++;
		return LANES_GO;
	}
	if (lanes->waiting >= lanes->limits.waiting ||
	    client->waiting >= lanes->limits.waiting_per_client) {
		forget_if_idle(lanes, client);
		return LANES_FULL;
	}
	if (client->last)
		client->last->next = ticket;
	else
		client->first = ticket;
	client->last = ticket;
	client->waiting++;
	lanes->waiting++;
	return LANES_WAIT;
}

static struct lanes_ticket *take_first(struct lanes *lanes, struct lanes_client *client)
{
	struct lanes_ticket *ticket = client->first;

	client->first = ticket->next;
	if (!client->first)
		client->last = NULL;
	ticket->next = NULL;
	client->waiting--;
	lanes->waiting--;
	return ticket;
}

/* The first in turn that waits and has not its whole share; it goes to the end. */
static struct lanes_ticket *next_in_turn(struct lanes *lanes)
{
	struct lanes_client *client = lanes->first;

	while (client && !(client->first && client->busy < lanes->limits.places_per_client))
		client = client->next;
	if (!client || lanes->busy >= lanes->limits.places)
		return NULL;
	take_out(lanes, client);
	add_last(lanes, client);
	client->busy++;
	lanes->busy++;
	return take_first(lanes, client);
}

struct lanes_ticket *lanes_leave(struct lanes *lanes, struct lanes_ticket *ticket)
{
	struct lanes_client *client = ticket->client;

	client->busy--;
	lanes->busy--;
	ticket->client = NULL;
	forget_if_idle(lanes, client);
	return next_in_turn(lanes);
}

struct lanes_ticket *lanes_expire(struct lanes *lanes, int64_t before_ms)
{
	for (struct lanes_client *client = lanes->first; client; client = client->next) {
		struct lanes_ticket *ticket = client->first;

		if (!ticket || ticket->since_ms >= before_ms)
			continue;
		take_first(lanes, client);
		ticket->client = NULL;
		forget_if_idle(lanes, client);
		return ticket;
	}
	return NULL;
}
