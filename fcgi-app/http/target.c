#include "fcgi-app/http/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/http/form.h"

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
