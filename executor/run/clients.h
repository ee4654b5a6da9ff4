/* clients.h - what each client address has running and waiting.
 *
 * A table, not a list: an entry that counts nothing is taken for the next address, so a
 * pointer to one is good for ever, though it may come to mean another client. */
#ifndef VIVARIUM_CLIENTS_H
#define VIVARIUM_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

enum { CLIENTS_MAX = 4096, CLIENT_NAME_BYTES = 64 };

struct client {
	char name[CLIENT_NAME_BYTES]; /* cut to fit */
	uint64_t running, waiting;
	uint64_t rivals; /* for the CPU: those that run, and those that are paused */
};

struct clients {
	struct client table[CLIENTS_MAX];
	size_t used;
};

/* The entry of this address, as its only user may count it. NULL for no address, and
 * where CLIENTS_MAX others are active: then it is not counted. */
struct client *clients_find(struct clients *clients, const char *name, size_t length);

#endif
