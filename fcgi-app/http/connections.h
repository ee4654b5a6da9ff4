/* connections.h - the connections of the web server, in one epoll set.
 *
 * A connection that waits for a request is armed: its next event goes to one thread,
 * which then has it to itself until it arms it again or ends it. */
#ifndef VIVARIUM_CONNECTIONS_H
#define VIVARIUM_CONNECTIONS_H

#include <pthread.h>

#include "fcgi-app/http/fastcgi.h"
#include "fcgi-app/http/lanes.h"

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
