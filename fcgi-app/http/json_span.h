/* json_span.h - looking into JSON that json_check() has passed, without building it.
 *
 * A value stays the bytes that it is in the text: a million members that nobody asks
 * for cost nothing but the look at them. */
#ifndef VIVARIUM_JSON_SPAN_H
#define VIVARIUM_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

/* A walk over the members of an object, or the items of an array. */
struct json_walk {
	const char *at, *end;
	bool object;
};

/* False if the value is neither. */
bool json_walk_open(struct text value, struct json_walk *ret_walk);

/* The next one; false at the end. The key is as it stands between its quotes, and
 * absent in an array. */
bool json_walk_next(struct json_walk *walk, struct text *ret_key, struct text *ret_value);

/* Is the key this name, however it is written? */
bool json_key_is(struct text key, const char *name);

/* The last member of this name: the one that counts. False if there is none. */
bool json_member(struct text object, const char *name, struct text *ret_value);

#endif
