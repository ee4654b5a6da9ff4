/* What both daemons decode: frames, fields, and UTF-8. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "common/message.h"
#include "common/protocol.h"
#include "tests/fuzz/fuzz.h"

/* version, type, reserved; number; then fields: tag, zero, length, value */
#define HEADER(length, type) length "\x00\x00\x00\x01" type "\x00\x00\x07\x00\x00\x00"
#define FIELD(tag, length) tag "\x00\x00\x00" length "\x00\x00\x00"
const struct fuzz_seed fuzz_seeds[] = {
	FUZZ_SEED(HEADER("\x00", "\x0f")),
	FUZZ_SEED(HEADER("\x10", "\x01") FIELD("\x04", "\x08") "print(1)"),
	FUZZ_SEED(HEADER("\x21", "\x42") FIELD("\x40", "\x08") "\x01\0\0\0\0\0\0\0" FIELD(
		"\x4b", "\x09") FIELD("\x60", "\x01") "1"),
	FUZZ_SEED(HEADER("\x03", "\x40") "abc" HEADER("\x00", "\x44")),
	FUZZ_SEED("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x92\xa9"),
};
const size_t fuzz_seed_count = sizeof fuzz_seeds / sizeof *fuzz_seeds;

enum { LIMIT = 1024, DEPTH = 8 };

static void walk_list(const void *list, size_t length, int depth)
{
	struct fields_reader reader;
	struct field_view field, found;
	const uint8_t *begin = list, *end = begin + length;
	int status;

	fields_open(&reader, list, length);
	while ((status = fields_next(&reader, &field)) == 1) {
		FUZZ_HOLDS(field.value >= begin && field.value <= end);
		FUZZ_HOLDS(field.length <= (size_t)(end - field.value));
		FUZZ_HOLDS(fields_find(list, length, field.tag, &found) == 1);
		FUZZ_HOLDS(found.tag == field.tag && found.value <= field.value);
		if (protocol_field_type(field.tag) == FIELD_IS_NUMBER)
			(void)field_number(&field);
		if (protocol_field_type(field.tag) == FIELD_IS_LIST && depth < DEPTH)
			walk_list(field.value, field.length, depth + 1);
		char *text = field_text(&field);
		FUZZ_HOLDS(text && !memcmp(text, field.value, field.length) && !text[field.length]);
		free(text);
	}
	FUZZ_HOLDS(status == 0 || status == -EBADMSG);
	if (fields_check(list, length) == 0)
		FUZZ_HOLDS(status == 0);
}

static void parse_frames(const uint8_t *data, size_t size)
{
	struct buffer stream = { .limit = 8192 };
	struct frame_header header;
	const uint8_t *payload;
	int status;

	FUZZ_HOLDS(buffer_append(&stream, data, size) == 0);
	while ((status = frame_parse(&stream, LIMIT, &header, &payload)) == 1) {
		FUZZ_HOLDS(header.length <= LIMIT && header.version == PROTOCOL_VERSION);
		FUZZ_HOLDS(FRAME_HEADER_BYTES + header.length <= stream.length);
		walk_list(payload, header.length, 0);
		buffer_consume(&stream, FRAME_HEADER_BYTES + header.length);
	}
	FUZZ_HOLDS(status == 0 || status == -EPROTO || status == -EMSGSIZE);
	buffer_reset(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse_frames(data, size);
	walk_list(data, size, 0);
	(void)utf8_valid(data, size);
	return 0;
}
