/* fields.h - lists of (tag, length, value): the payload of frames, jobs and reports.
 *
 * On the wire: u16 tag, u16 zero, u32 length, then the value, no padding; all
 * little-endian. A number is eight bytes. A reader never trusts a length: every
 * step is checked against what is left, and a malformed list gives -EBADMSG. */
#ifndef VIVARIUM_FIELDS_H
#define VIVARIUM_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"

enum { FIELD_HEADER_BYTES = 8 };

/* One field of a list; value points into the list and lives as long as it. */
struct field_view {
	unsigned tag;
	const uint8_t *value;
	size_t length;
};

/* Walks a list. Start with fields_open(); no allocation, nothing to close. */
struct fields_reader {
	const uint8_t *at;
	size_t left;
};

void fields_open(struct fields_reader *reader, const void *list, size_t length);

/* 1 with *ret_field set, 0 at the end, -EBADMSG if the list is malformed or a
 * number is not eight bytes long. Unknown tags are given to the caller. */
int fields_next(struct fields_reader *reader, struct field_view *ret_field);

/* Check a whole list: well-formed, every tag known, every text valid UTF-8
 * without NUL. 0 or -EBADMSG. */
int fields_check(const void *list, size_t length);

/* The first field with this tag. 1 if found, 0 if not, -EBADMSG. */
int fields_find(const void *list, size_t length, unsigned tag, struct field_view *ret_field);

/* Is there a field with this tag, in a list that is not malformed before it? */
bool fields_has(const void *list, size_t length, unsigned tag);

/* The first field with this tag as a number, or the fallback. */
uint64_t fields_number(const void *list, size_t length, unsigned tag, uint64_t fallback);

uint64_t field_number(const struct field_view *field);

/* A fresh copy of the value with a NUL after it; NULL without memory. The
 * caller frees it. */
char *field_text(const struct field_view *field);

/* Append a field. 0, -ENOMEM, or -EMSGSIZE when the buffer's limit is met; the
 * buffer is then unchanged. */
int fields_put_number(struct buffer *list, unsigned tag, uint64_t value);
int fields_put_bytes(struct buffer *list, unsigned tag, const void *value, size_t length);
int fields_put_text(struct buffer *list, unsigned tag, const char *text); /* NULL: nothing is put */

#endif
