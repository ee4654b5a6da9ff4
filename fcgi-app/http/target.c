#include "fcgi-app/http/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"

/* ---- percent encoding, forms ---------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long form_decode(struct text source, bool plus, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < source.length; i++) {
		char c = source.data[i];

		if (c == '%') {
			int high = i + 2 < source.length ? hex_digit(source.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(source.data[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[length++] = c;
	}
	return (long)length;
}

/* Does `encoded` decode to `name`? Names are short; a longer one is another. */
static int name_matches(struct text encoded, const char *name)
{
	char decoded[64];
	long length;

	if (encoded.length > sizeof decoded)
		return 0;
	length = form_decode(encoded, true, decoded);
	if (length < 0)
		return (int)length;
	return (size_t)length == strlen(name) && !memcmp(decoded, name, (size_t)length);
}

static int decode_value(struct text encoded, struct text *ret_value, char **ret_storage)
{
	char *storage = malloc(encoded.length + 1);
	long length;

	if (!storage)
		return -ENOMEM;
	length = form_decode(encoded, true, storage);
	if (length < 0) {
		free(storage);
		return (int)length;
	}
	storage[length] = '\0';
	*ret_value = (struct text){ .data = storage, .length = (size_t)length };
	*ret_storage = storage;
	return 1;
}

int form_find(struct text list, const char *name, struct text *ret_value, char **ret_storage)
{
	const char *at = list.data;
	const char *end = at + list.length;

	while (at && at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		struct text key = { at, (size_t)((equals ? equals : stop) - at) };
		const char *value = equals ? equals + 1 : stop;

		int matches = name_matches(key, name);
		if (matches < 0)
			return matches;
		if (matches)
			return decode_value((struct text){ value, (size_t)(stop - value) },
					    ret_value, ret_storage);
		at = stop + 1;
	}
	return 0;
}

/* ---- targets -------------------------------------------------------------- */

/* The last piece may be empty (a trailing slash), no other. */
static bool piece_allowed(struct text piece, bool last)
{
	if (piece.length == 0)
		return last;
	if (text_equals(piece, ".") || text_equals(piece, ".."))
		return false;
	return !memchr(piece.data, '\0', piece.length) && utf8_valid(piece.data, piece.length);
}

static int split(const char *path, size_t length, bool encoded, struct target *target)
{
	char *out = target->storage;
	const char *at = path;
	const char *end = path + length;

	if (length == 0 || *at != '/')
		return -EINVAL;
	for (at++;; at++) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		struct text raw = { at, (size_t)((stop ? stop : end) - at) };
		long decoded = (long)raw.length;

		if (target->count == TARGET_PIECES_MAX)
			return -ENAMETOOLONG;
		if (encoded)
			decoded = form_decode(raw, false, out);
		else
			memcpy(out, raw.data, raw.length);
		if (decoded < 0)
			return (int)decoded;

		struct text piece = { out, (size_t)decoded };
		if (!piece_allowed(piece, !stop))
			return -EINVAL;
		target->pieces[target->count++] = piece;
		out += decoded;
		*out++ = '\0';
		if (!stop)
			return 0;
		at = stop;
	}
}

static int parse(const char *path, size_t length, const char *query, bool encoded,
		 struct target *ret_target)
{
	/* Each piece gives back its slash for its NUL; one more for the last. */
	struct target target = { .storage = malloc(length + 2), .query = query };
	int error;

	if (!target.storage)
		return -ENOMEM;
	error = split(path, length, encoded, &target);
	if (error) {
		free(target.storage);
		return error;
	}
	*ret_target = target;
	return 0;
}

int target_parse(const char *uri, struct target *ret_target)
{
	size_t length = strcspn(uri, "?");

	return parse(uri, length, uri[length] ? uri + length + 1 : "", true, ret_target);
}

int target_parse_decoded(const char *path, const char *query, struct target *ret_target)
{
	return parse(path, strlen(path), query, false, ret_target);
}

void target_free(struct target *target)
{
	free(target->storage);
	target->storage = NULL;
}
