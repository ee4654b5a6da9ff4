/* ids.h - identifiers: what we make and what we take. */
#ifndef VIVARIUM_IDS_H
#define VIVARIUM_IDS_H

#include <stdbool.h>

#include "common/bytes.h"

enum {
	ID_LENGTH_MAX = 128,
	UUID_BYTES = 37, /* 36 characters and the NUL */
};

/* Ids of the strict dialect's sessions begin with this inside, and nobody else's
 * do: what those sessions may do must not be had by another dialect's name, nor
 * the other way round. */
#define ID_STRICT_PREFIX "strict."

/* What the error says when id_valid() says no. */
#define ID_EXPECTED                                                                                \
	"must be 1 to 128 letters, digits, dots, dashes and underscores, and start with a letter " \
	"or digit (not \"" ID_STRICT_PREFIX "\")"

/* A session id as clients may choose it: [A-Za-z0-9][A-Za-z0-9._-]{0,127}, and not
 * beginning with ID_STRICT_PREFIX. */
bool id_valid(struct text id);

/* Does it begin with ID_STRICT_PREFIX? */
bool id_is_strict(struct text id);

/* A random UUID (version 4). It is a capability, so it comes from the kernel.
 * 0 or -errno. */
int id_make_uuid(char ret_uuid[UUID_BYTES]);

#endif
