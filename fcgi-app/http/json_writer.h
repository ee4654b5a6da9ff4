/* json_writer.h - JSON into a buffer, from bytes that nobody has checked.
 *
 * Written directly and not through json-c objects, because the program's output
 * is raw bytes of up to megabytes: it is escaped and repaired (U+FFFD for what
 * is not UTF-8) in one pass, with no copy in between.
 *
 * Every call takes a key, or NULL inside an array. Errors stick: check
 * writer->error once, at the end. */
#ifndef VIVARIUM_JSON_WRITER_H
#define VIVARIUM_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

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

#endif
