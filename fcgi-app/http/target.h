/* target.h - what a request line asks for: a path in pieces, and a query; percent
 * decoding, and name=value lists (queries and form bodies).
 *
 * The path is split at slashes before it is decoded, so that an encoded slash
 * stays inside its piece. Pieces that a proxy might read in another way than we
 * do (empty ones, dots, NUL, invalid UTF-8) are refused and not repaired: what
 * nginx checked a location's rules for is then what we serve. */
#ifndef VIVARIUM_TARGET_H
#define VIVARIUM_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

enum { TARGET_PIECES_MAX = 136 };

/* A path that ends in a slash has an empty last piece: "/api/" is "api", "". */
struct target {
	char *storage;                         /* owns the decoded pieces */
	struct text pieces[TARGET_PIECES_MAX]; /* each with a NUL after it */
	size_t count;
	const char *query; /* raw, "" without one; points into the URI */
};

/* Split and decode. 0, -EINVAL (not a path we take), -ENAMETOOLONG or -ENOMEM;
 * nothing to free on failure. The URI must outlive the target. */
int target_parse(const char *uri, struct target *ret_target);

/* The same for a path that the gateway has decoded already (plain CGI). */
int target_parse_decoded(const char *path, const char *query, struct target *ret_target);

void target_free(struct target *target);

/* Decode %XX (and + as a space if `plus`) from source to out, which has room
 * for source.length bytes and may be source.data itself. The length written, or
 * -EINVAL for a broken escape. */
long form_decode(struct text source, bool plus, char *out);

/* The first value of `name` in a&b=c list. 1 with *ret_value (malloc'ed, NUL
 * after it; the caller frees *ret_storage), 0 if it is not there, -EINVAL for a
 * broken escape, -ENOMEM. */
int form_find(struct text list, const char *name, struct text *ret_value, char **ret_storage);

#endif
