/* json.h - JSON: checked to the letter of RFC 8259, looked into, written; and base64, as
 * which bytes travel in it.
 *
 * json-c's strict mode still takes NaN, Infinity, 'single quotes', control
 * characters in strings and halves of surrogate pairs. This check runs first;
 * what it lets through, every JSON parser reads the same way. */
#ifndef VIVARIUM_JSON_H
#define VIVARIUM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum { JSON_DEPTH_MAX = 32 };

/* NULL if the text is one JSON value in valid UTF-8, nested at most
 * JSON_DEPTH_MAX deep, with nothing but white space around it; otherwise a
 * constant sentence that says what is wrong, with *ret_offset (bytes) set. */
const char *json_check(const void *text, size_t length, size_t *ret_offset);

/* The same with at most so many values in it; else json_too_many. */
const char *json_check_counted(const void *text, size_t length, size_t most_values,
			       size_t *ret_offset);
extern const char json_too_many[];

/* ---- looking into JSON that json_check() has passed, without building it ----------
 *
 * A value stays the bytes that it is in the text: a million members that nobody asks
 * for cost nothing but the look at them. */

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

/* Is the key this name, which is in ASCII, however it is written? */
bool json_key_is(struct text key, const char *name);

/* The last member of this name: the one that counts. False if there is none. */
bool json_member(struct text object, const char *name, struct text *ret_value);

/* ---- JSON into a buffer, from bytes that nobody has checked (json_writer.c) --------
 *
 * Written directly and not through json-c objects, because the program's output
 * is raw bytes of up to megabytes: it is escaped and repaired (U+FFFD for what
 * is not UTF-8) in one pass, with no copy in between.
 *
 * Every call takes a key, or NULL inside an array. Errors stick: check
 * writer->error once, at the end. */

struct json_writer {
	struct buffer *out;
	int error; /* 0 or the first -errno */
	bool need_comma;
};

#define JSON_WRITER(buffer) ((struct json_writer){ .out = (buffer) })

void writer_open_object(struct json_writer *writer, const char *key);
void writer_close_object(struct json_writer *writer);
void writer_open_array(struct json_writer *writer, const char *key);
void writer_close_array(struct json_writer *writer);

void writer_text(struct json_writer *writer, const char *key, struct text value); /* absent: null */
void writer_string(struct json_writer *writer, const char *key, const char *value);
void writer_base64(struct json_writer *writer, const char *key, struct text bytes);
void writer_number(struct json_writer *writer, const char *key, int64_t value);
void writer_unsigned(struct json_writer *writer, const char *key, uint64_t value);
void writer_bool(struct json_writer *writer, const char *key, bool value);
void writer_null(struct json_writer *writer, const char *key);

/* JSON from elsewhere, put in as it is; as a string where it is no JSON, so that
 * the answer stays well-formed whatever the value says. Absent: null. */
void writer_json(struct json_writer *writer, const char *key, struct text value);

/* value / 10^decimals with that many decimals at most: 1200, 3 gives 1.2. */
void writer_decimal(struct json_writer *writer, const char *key, uint64_t value, int decimals);

/* A key that is not a constant of ours; then one value, with its own key NULL. */
void writer_text_key(struct json_writer *writer, struct text key);

/* ---- base64 ---- */

/* Append what the text says, to the letter of RFC 4648 with its padding. 0,
 * -EINVAL or -ENOMEM. */
int base64_decode(struct text text, struct buffer *out);

#endif
