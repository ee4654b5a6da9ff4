/* lanes.h - the connections of the web server, and whose request may be served now.
 *
 * Lanes are pure: no threads, no clock. A lane has a number of places, and one client at most a share of them. Who finds
 * no place waits; places that become free go to the waiting clients in turn, so
 * that a client with a hundred requests does not go before one with a single one. */
#ifndef VIVARIUM_LANES_H
#define VIVARIUM_LANES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi-app/http/fastcgi.h"

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

/* ---- connections, in one epoll set ------------------------------------------------
 *
 * A connection that waits for a request is armed: its next event goes to one thread,
 * which then has it to itself until it arms it again or ends it. */

struct connections;

struct connection {
	struct fastcgi fastcgi;
	struct lanes_ticket ticket;
	struct lanes *lane; /* where its request has a place, or waits; NULL: needs none */
	struct connections *all;
	struct connection *next, **at;
	int64_t since_ms; /* when its head began; 0: it has not */
};

struct connections {
	int epoll_fd;
	pthread_mutex_t lock; /* for what follows */
	struct connection *first;
	size_t count;
};

/* 0 or -errno. */
int connections_init(struct connections *all);

/* Ends all; no thread may use one any more. */
void connections_free(struct connections *all);

/* A fresh one, armed. Takes the descriptor, which is closed on failure. */
void connection_add(struct connections *all, int fd);

/* Wait for its next event. */
void connection_arm(struct connection *connection);

void connection_end(struct connection *connection);

/* A head has begun or has ended; the time since then is bounded by connections_hang_up(). */
void connection_head_begins(struct connection *connection, int64_t now_ms);
void connection_head_ends(struct connection *connection);

/* Hang up on those whose head began before then: an event follows, and who gets it ends
 * them. True if there are any whose head has begun. */
bool connections_hang_up(struct connections *all, int64_t before_ms);

/* Between arming a connection and the event that another thread then gets there is an
 * order, which the thread sanitizer does not see (it knows EPOLL_CTL_ADD only). */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define CONNECTION_GIVEN(connection) __tsan_release(connection)
#define CONNECTION_TAKEN(connection) __tsan_acquire(connection)
#else
#define CONNECTION_GIVEN(connection) ((void)(connection))
#define CONNECTION_TAKEN(connection) ((void)(connection))
#endif

#endif
