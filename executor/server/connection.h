/* connection.h - a peer's connection: its bytes in and out, and the one call that it has
 * at a time. The functions of calls are declared in server.h, for the handlers. */
#ifndef VIVARIUM_CONNECTION_H
#define VIVARIUM_CONNECTION_H

#include "executor/server/server.h"

struct connections {
	const struct server_config *config; /* lives as long as they */
	struct connection *first;
	size_t calls;  /* that are not over */
	void (*refuse)(struct call *call); /* a new one, while stopping */
	bool stopping;
};

/* Take calls from the peer at fd, which is the connection's from now on. 0; or -errno,
 * and fd is still the caller's. It ends when the peer does. */
int connection_open(struct connections *all, int fd, const struct ucred *peer);

/* Hang up on all, cancelling their calls. */
void connections_drop_all(struct connections *all);

#endif
