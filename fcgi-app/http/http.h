/* http.h - what a request says in HTTP's words: method, media types, path, query and form,
 * ids. Pure functions. */
#ifndef VIVARIUM_HTTP_H
#define VIVARIUM_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_COUNT,
	METHOD_UNKNOWN = METHOD_COUNT
};

/* A client that went away gets no answer; the log says 499, as nginx does. */
enum { HTTP_CLIENT_GONE = 499 };

enum method http_method(const char *word);
const char *http_method_name(enum method method);
const char *http_status_title(int status); /* never NULL */

/* The media type of a Content-Type value without its parameters; compares
 * without regard to case. */
bool http_media_type_is(const char *content_type, const char *type);

/* application/json or application/...+json, in UTF-8 as far as it says. */
bool http_is_json(const char *content_type);

/* How much an Accept value likes a type, in thousandths; 0: not at all. */
int http_accepts(const char *accept, const char *type);

/* A variable of a CGI environment (NAME=value strings, NULL at the end; NULL: none);
 * "" if it is not there. */
const char *http_variable(char *const *environment, const char *name);

/* ---- what a request line asks for: a path in pieces, and a query -------------------
 *
 * The path is split at slashes before it is decoded, so that an encoded slash
 * stays inside its piece. Pieces that a proxy might read in another way than we
 * do (empty ones, dots, NUL, invalid UTF-8) are refused and not repaired: what
 * nginx checked a location's rules for is then what we serve. */

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

/* ---- identifiers: what we make and what we take ---- */

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
