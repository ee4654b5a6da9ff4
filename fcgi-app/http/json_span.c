#include "fcgi-app/http/json_span.h"

#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

/* The text is well-formed: of each step only the end is looked for. */

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* From the opening quote to behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\';
	return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
	unsigned depth = 0;

	do {
		if (at == end)
			return end;
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		depth += *at == '{' || *at == '[';
		if (!depth) { /* a number or a word */
			while (at < end && !memchr(",]} \t\n\r", *at, 7))
				at++;
			return at;
		}
		depth -= *at == '}' || *at == ']';
		at++;
	} while (depth);
	return at;
}

bool json_walk_open(struct text value, struct json_walk *ret_walk)
{
	const char *end = value.data + value.length;
	const char *at = skip_space(value.data, end);

	if (at == end || (*at != '{' && *at != '['))
		return false;
	*ret_walk = (struct json_walk){ .at = at + 1, .end = end, .object = *at == '{' };
	return true;
}

bool json_walk_next(struct json_walk *walk, struct text *ret_key, struct text *ret_value)
{
	const char *at = skip_space(walk->at, walk->end);
	const char *from;

	if (at < walk->end && *at == ',')
		at = skip_space(at + 1, walk->end);
	if (at == walk->end || *at == '}' || *at == ']')
		return false;
	*ret_key = (struct text){ 0 };
	if (walk->object) {
		from = at;
		at = skip_string(at, walk->end);
		*ret_key = (struct text){ from + 1, (size_t)(at - from) - 2 };
		at = skip_space(at, walk->end);
		at = skip_space(at + (at < walk->end), walk->end); /* the colon */
	}
	from = at;
	at = skip_value(at, walk->end);
	*ret_value = (struct text){ from, (size_t)(at - from) };
	walk->at = at;
	return true;
}

bool json_key_is(struct text key, const char *name)
{
	struct json_tokener *tokener;
	struct json_object *decoded;
	bool same;

	if (!memchr(key.data, '\\', key.length))
		return text_equals(key, name);
	if (key.length > 6 * strlen(name))
		return false; /* an escape is six bytes at most */
	tokener = json_tokener_new();
	decoded =
		tokener ? json_tokener_parse_ex(tokener, key.data - 1, (int)key.length + 2) : NULL;
	same = decoded && !strcmp(json_object_get_string(decoded), name);
	json_object_put(decoded);
	if (tokener)
		json_tokener_free(tokener);
	return same;
}

bool json_member(struct text object, const char *name, struct text *ret_value)
{
	struct json_walk walk;
	struct text key, value;
	bool found = false;

	if (!json_walk_open(object, &walk) || !walk.object)
		return false;
	while (json_walk_next(&walk, &key, &value)) {
		if (!json_key_is(key, name))
			continue;
		*ret_value = value;
		found = true;
	}
	return found;
}
