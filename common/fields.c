#include "common/fields.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

void fields_open(struct fields_reader *reader, const void *list, size_t length)
{
	reader->at = list;
	reader->left = length;
}

int fields_next(struct fields_reader *reader, struct field_view *ret_field)
{
	uint16_t tag, zero;
	uint32_t length;

	if (reader->left == 0)
		return 0;
	if (reader->left < FIELD_HEADER_BYTES)
		return -EBADMSG;
	memcpy(&tag, reader->at, sizeof tag);
	memcpy(&zero, reader->at + 2, sizeof zero);
	memcpy(&length, reader->at + 4, sizeof length);
	tag = le16toh(tag);
	length = le32toh(length);
	if (zero || length > reader->left - FIELD_HEADER_BYTES)
		return -EBADMSG;
	if (protocol_field_type(tag) == FIELD_IS_NUMBER && length != sizeof(uint64_t))
		return -EBADMSG;

	*ret_field = (struct field_view){
		.tag = tag,
		.value = reader->at + FIELD_HEADER_BYTES,
		.length = length,
	};
	reader->at += FIELD_HEADER_BYTES + length;
	reader->left -= FIELD_HEADER_BYTES + length;
	return 1;
}

int fields_check(const void *list, size_t length)
{
	struct fields_reader reader;
	struct field_view field;
	int got;

	fields_open(&reader, list, length);
	while ((got = fields_next(&reader, &field)) > 0) {
		switch (protocol_field_type(field.tag)) {
		case FIELD_IS_UNKNOWN:
			return -EBADMSG;
		case FIELD_IS_TEXT:
			if (!utf8_valid(field.value, field.length) ||
			    memchr(field.value, '\0', field.length))
				return -EBADMSG;
			break;
		case FIELD_IS_NUMBER:
		case FIELD_IS_BYTES:
		case FIELD_IS_LIST:
			break;
		}
	}
	return got;
}

int fields_find(const void *list, size_t length, unsigned tag, struct field_view *ret_field)
{
	struct fields_reader reader;
	struct field_view field;
	int got;

	fields_open(&reader, list, length);
	while ((got = fields_next(&reader, &field)) > 0) {
		if (field.tag == tag) {
			*ret_field = field;
			return 1;
		}
	}
	return got;
}

bool fields_has(const void *list, size_t length, unsigned tag)
{
	struct field_view field;

	return fields_find(list, length, tag, &field) == 1;
}

uint64_t fields_number(const void *list, size_t length, unsigned tag, uint64_t fallback)
{
	struct field_view field;

	if (fields_find(list, length, tag, &field) != 1)
		return fallback;
	return field_number(&field);
}

uint64_t field_number(const struct field_view *field)
{
	uint64_t value = 0;

	if (field->length != sizeof value)
		return 0;
	memcpy(&value, field->value, sizeof value);
	return le64toh(value);
}

char *field_text(const struct field_view *field)
{
	char *text = malloc(field->length + 1);

	if (!text)
		return NULL;
	memcpy(text, field->value, field->length);
	text[field->length] = '\0';
	return text;
}

int fields_put_bytes(struct buffer *list, unsigned tag, const void *value, size_t length)
{
	if (length > UINT32_MAX)
		return -EMSGSIZE;

	int error = buffer_reserve(list, FIELD_HEADER_BYTES + length);
	if (error)
		return error;

	uint16_t wire_tag = htole16((uint16_t)tag);
	uint16_t zero = 0;
	uint32_t wire_length = htole32((uint32_t)length);
	uint8_t *at = list->data + list->length;

	memcpy(at, &wire_tag, sizeof wire_tag);
	memcpy(at + 2, &zero, sizeof zero);
	memcpy(at + 4, &wire_length, sizeof wire_length);
	if (length)
		memcpy(at + FIELD_HEADER_BYTES, value, length);
	list->length += FIELD_HEADER_BYTES + length;
	return 0;
}

int fields_put_number(struct buffer *list, unsigned tag, uint64_t value)
{
	uint64_t wire = htole64(value);

	return fields_put_bytes(list, tag, &wire, sizeof wire);
}

int fields_put_text(struct buffer *list, unsigned tag, const char *text)
{
	return text ? fields_put_bytes(list, tag, text, strlen(text)) : 0;
}
