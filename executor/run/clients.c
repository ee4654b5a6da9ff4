#include "executor/run/clients.h"

#include <stdbool.h>
#include <string.h>

static bool is_idle(const struct client *client)
{
	return !client->rivals && !client->waiting;
}

static bool has_name(const struct client *client, const char *name, size_t length)
{
	return !memcmp(client->name, name, length) && !client->name[length];
}

struct client *clients_find(struct clients *clients, const char *name, size_t length)
{
	struct client *idle = NULL;

	if (!length)
		return NULL;
	if (length > CLIENT_NAME_BYTES - 1)
		length = CLIENT_NAME_BYTES - 1;
	for (size_t i = 0; i < clients->used; i++) {
		struct client *client = &clients->table[i];

		if (has_name(client, name, length))
			return client;
		if (!idle && is_idle(client))
			idle = client;
	}
	if (!idle && clients->used < CLIENTS_MAX)
		idle = &clients->table[clients->used++];
	if (idle) {
		*idle = (struct client){ 0 };
		memcpy(idle->name, name, length);
	}
	return idle;
}
