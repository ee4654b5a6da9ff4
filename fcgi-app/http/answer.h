/* answer.h - fill in the answer of an exchange; what it says about a file. */
#ifndef VIVARIUM_ANSWER_H
#define VIVARIUM_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/json.h"

/* Start a JSON answer: an object is open. End it with answer_finish(). */
struct json_writer answer_open(struct exchange *exchange, int status);

/* Close the object. A reply that could not be built becomes a 500 problem. */
void answer_finish(struct exchange *exchange, struct json_writer *writer);

/* Bytes as they are. */
void answer_bytes(struct exchange *exchange, int status, const char *content_type,
		  const void *bytes, size_t length);

/* A body that is sent as it is made. Takes the stream. */
void answer_stream(struct exchange *exchange, int status, const char *content_type,
		   const struct body_stream *stream);

/* Begin a stream of events: the head goes out, and the caller writes what follows through
 * the gateway. A problem that is answered later is in `reply` and not sent. 0 or -errno. */
int answer_events(struct exchange *exchange);

/* Send the head of the answer as it is: for exchange.c. 0 or -errno. */
int answer_head(struct exchange *exchange);

/* 204. */
void answer_nothing(struct exchange *exchange);

/* A status without a body: 304. */
void answer_status(struct exchange *exchange, int status);

/* A further header line. The value must be ours: no client bytes. */
void answer_header(struct exchange *exchange, const char *name, const char *value);
void answer_header_number(struct exchange *exchange, const char *name, unsigned long value);

/* application/problem+json. The detail is a whole sentence or clause in UTF-8. */
void answer_problem(struct exchange *exchange, int status, const char *detail);

/* The same about one field of the request: "field: message". */
void answer_field_problem(struct exchange *exchange, int status, const char *field,
			  const char *message);

struct field_error {
	char field[64];
	char message[160];
};

/* The same about several; count is at least 1. */
void answer_field_problems(struct exchange *exchange, int status, const struct field_error *errors,
			   size_t count);

/* ---- what HTTP says about a file: ETag, If-Match and its kin, Range, media type -----
 *
 * Pure functions. */

enum { ETAG_BYTES = 64 };

/* A strong validator, from what a file is and when it was changed; in quotes. */
const char *etag_of(const struct stat *file, char ret_etag[ETAG_BYTES]);

/* Do the conditions of these headers hold ("": there is none)? `found` is the file
 * as it is, NULL: there is no such file. */
bool if_match_holds(const char *if_match, const struct stat *found);
bool if_none_match_holds(const char *if_none_match, const struct stat *found);

enum range { RANGE_ALL, RANGE_PART, RANGE_OUTSIDE };

/* One range of bytes. RANGE_PART with *ret_first and *ret_length set, RANGE_ALL
 * for no, a malformed or more than one range, RANGE_OUTSIDE. */
enum range range_read(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_length);

/* The Content-Type of a file with this name; application/octet-stream for one
 * that is not known. Never NULL. */
const char *media_type_of(const char *name);

#endif
