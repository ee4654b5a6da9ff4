#include "fcgi-app/http/lanes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"

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

/* ---- connections ---------------------------------------------------------------------- */

enum {
	SOCKET_SECONDS = 60, /* nginx buffers, so it takes and gives at once */
	CONNECTIONS_MAX = 4096,
};

int connections_init(struct connections *all)
{
	*all = (struct connections){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	pthread_mutex_init(&all->lock, NULL);
	return all->epoll_fd < 0 ? -errno : 0;
}

void connections_free(struct connections *all)
{
	while (all->first)
		connection_end(all->first);
	owned_close(&all->epoll_fd);
	pthread_mutex_destroy(&all->lock);
}

/* False if there are too many. */
static bool put_in(struct connections *all, struct connection *connection)
{
	bool room;

	pthread_mutex_lock(&all->lock);
	room = all->count < CONNECTIONS_MAX;
	if (room) {
		connection->next = all->first;
		connection->at = &all->first;
		if (connection->next)
			connection->next->at = &connection->next;
		all->first = connection;
		all->count++;
	}
	pthread_mutex_unlock(&all->lock);
	return room;
}

static void arm(struct connection *connection, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
				     .data.ptr = connection };

	CONNECTION_GIVEN(connection);
	if (epoll_ctl(connection->all->epoll_fd, operation, connection->fastcgi.fd, &event))
		connection_end(connection);
}

void connection_add(struct connections *all, int fd)
{
	const struct timeval patience = { .tv_sec = SOCKET_SECONDS };
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection)
		connection->all = all;
	if (!connection || !put_in(all, connection)) {
		log_warn("event=connection_refused connections=%zu", all->count);
		free(connection);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	fastcgi_init(&connection->fastcgi, fd);
	arm(connection, EPOLL_CTL_ADD);
}

void connection_arm(struct connection *connection)
{
	arm(connection, EPOLL_CTL_MOD);
}

void connection_end(struct connection *connection)
{
	struct connections *all = connection->all;

	pthread_mutex_lock(&all->lock);
	*connection->at = connection->next;
	if (connection->next)
		connection->next->at = connection->at;
	all->count--;
	pthread_mutex_unlock(&all->lock);
	close(connection->fastcgi.fd);
	fastcgi_free(&connection->fastcgi);
	free(connection);
}

void connection_head_begins(struct connection *connection, int64_t now_ms)
{
	pthread_mutex_lock(&connection->all->lock);
	if (!connection->since_ms)
		connection->since_ms = now_ms;
	pthread_mutex_unlock(&connection->all->lock);
}

void connection_head_ends(struct connection *connection)
{
	pthread_mutex_lock(&connection->all->lock);
	connection->since_ms = 0;
	pthread_mutex_unlock(&connection->all->lock);
}

bool connections_hang_up(struct connections *all, int64_t before_ms)
{
	bool any = false;

	pthread_mutex_lock(&all->lock);
	for (struct connection *each = all->first; each; each = each->next) {
		if (each->since_ms && each->since_ms < before_ms)
			shutdown(each->fastcgi.fd, SHUT_RDWR);
		any |= each->since_ms != 0;
	}
	pthread_mutex_unlock(&all->lock);
	return any;
}
