/* http.h - the words of HTTP that several files need. */
#ifndef VIVARIUM_HTTP_H
#define VIVARIUM_HTTP_H

#include <stdbool.h>

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

#endif
