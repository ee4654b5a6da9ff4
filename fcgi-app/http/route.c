#include "fcgi-app/http/route.h"

#include <string.h>

/* The pieces from one on as one text. They lie one behind the other in the
 * target's storage: the NULs between them become slashes, which nobody minds who
 * goes by the lengths. */
static struct text rest_of(struct target *target, size_t piece)
{
	struct text rest = target->pieces[piece];

	for (; piece + 1 < target->count; piece++) {
		const struct text *next = &target->pieces[piece + 1];

		target->storage[next->data - target->storage - 1] = '/';
		rest.length = (size_t)(next->data + next->length - rest.data);
	}
	return rest;
}

static bool is_rest(struct text wanted)
{
	return wanted.length > 5 && !memcmp(wanted.data + wanted.length - 4, "...}", 4);
}

static const char *const dialect_names[DIALECT_COUNT] = {
	[DIALECT_SERVICE] = "service", [DIALECT_PLAYGROUND] = "playground",
	[DIALECT_REPL] = "repl",       [DIALECT_WORKSPACE] = "workspace",
	[DIALECT_STRICT] = "strict",   [DIALECT_NATIVE] = "native",
};

const char *dialect_name(enum dialect dialect)
{
	return dialect_names[dialect];
}

/* Does the path have the pattern's form? Parameters are noted on the way; they
 * mean something only if it does. */
static bool matches(const char *pattern, struct target *target,
		    struct text parameters[ROUTE_PARAMETERS_MAX])
{
	size_t piece = 0, parameter = 0;

	for (const char *at = pattern; *at == '/'; piece++) {
		struct text wanted = { at + 1, strcspn(at + 1, "/") };

		if (piece == target->count)
			return false;
		struct text got = target->pieces[piece];
		if (*wanted.data == '{') {
			if (got.length == 0 || parameter == ROUTE_PARAMETERS_MAX)
				return false;
			if (is_rest(wanted)) {
				parameters[parameter] = rest_of(target, piece);
				return true;
			}
			parameters[parameter++] = got;
		} else if (got.length != wanted.length ||
			   memcmp(got.data, wanted.data, got.length) != 0) {
			return false;
		}
		at = wanted.data + wanted.length;
	}
	return piece == target->count;
}

const struct route *route_find(const struct route *table, size_t count, struct exchange *exchange,
			       unsigned *ret_allowed)
{
	enum method method = exchange->method == METHOD_HEAD ? METHOD_GET : exchange->method;
	struct text parameters[ROUTE_PARAMETERS_MAX] = { { 0 } };

	*ret_allowed = 0;
	for (size_t i = 0; i < count; i++) {
		if (!matches(table[i].pattern, &exchange->target, parameters))
			continue;
		if (table[i].method == method) {
			memcpy(exchange->parameters, parameters, sizeof parameters);
			return &table[i];
		}
		*ret_allowed |= 1u << table[i].method;
	}
	if (*ret_allowed & 1u << METHOD_GET)
		*ret_allowed |= 1u << METHOD_HEAD;
	return NULL;
}
