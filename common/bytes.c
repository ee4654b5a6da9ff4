#include "common/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_CAPACITY = 256 };

int buffer_reserve(struct buffer *buffer, size_t extra)
{
	size_t limit = buffer->limit ? buffer->limit : SIZE_MAX;

	if (extra > limit || buffer->length > limit - extra)
		return -EMSGSIZE;

	size_t needed = buffer->length + extra;
	if (needed <= buffer->capacity)
		return 0;

	size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST_CAPACITY;
	while (capacity < needed)
		capacity = capacity > limit / 2 ? limit : capacity * 2;

	uint8_t *data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	int error = buffer_reserve(buffer, length);

	if (error)
		return error;
	if (length)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	return 0;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	if (length >= buffer->length) {
		buffer->length = 0;
		return;
	}
	memmove(buffer->data, buffer->data + length, buffer->length - length);
	buffer->length -= length;
}

void buffer_shorten(struct buffer *buffer, size_t length)
{
	if (length >= buffer->length)
		return;
	buffer->length = length;
	uint8_t *data = length ? realloc(buffer->data, length) : NULL;
	if (data) {
		buffer->data = data;
		buffer->capacity = length;
	}
}

void buffer_reset(struct buffer *buffer)
{
	free(buffer->data);
	buffer->data = NULL;
	buffer->length = 0;
	buffer->capacity = 0;
}

struct text text_of(const char *string)
{
	return (struct text){ .data = string, .length = string ? strlen(string) : 0 };
}

bool text_equals(struct text text, const char *string)
{
	return text.data && text.length == strlen(string) &&
	       !memcmp(text.data, string, text.length);
}

/* How many bytes follow this lead byte, and the range of the first of them
 * (Unicode 15.0, table 3-7). -1: no sequence starts so. */
static int utf8_lead(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead < 0x80)
		return 0;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef)
		return 2;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 3;
	return -1;
}

size_t text_utf8_step(const uint8_t *at, size_t left, bool *ret_valid)
{
	uint8_t low, high;
	int more = utf8_lead(*at, &low, &high);
	size_t used = 1;

	*ret_valid = false;
	for (; more > 0 && used < left && at[used] >= low && at[used] <= high; more--) {
		used++;
		low = 0x80;
		high = 0xbf;
	}
	*ret_valid = more == 0;
	return used;
}

bool utf8_valid(const void *text, size_t length)
{
	const uint8_t *at = text;
	const uint8_t *end = at + length;
	bool valid = true;

	while (valid && at < end)
		at += text_utf8_step(at, (size_t)(end - at), &valid);
	return valid;
}

struct text text_without_half_character(struct text text)
{
	const uint8_t *bytes = (const uint8_t *)text.data;
	uint8_t low, high;

	for (size_t back = 1; back <= 3 && back <= text.length; back++) {
		uint8_t byte = bytes[text.length - back];

		if ((byte & 0xc0) == 0x80)
			continue;
		if (utf8_lead(byte, &low, &high) >= (int)back)
			text.length -= back;
		break;
	}
	return text;
}

size_t utf8_cut(const void *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	return text_without_half_character((struct text){ text, most }).length;
}

size_t utf8_tail(const void *text, size_t length, size_t most)
{
	const uint8_t *bytes = text;
	size_t start = length > most ? length - most : 0;

	while (start && start < length && (bytes[start] & 0xc0) == 0x80)
		start++;
	return length - start;
}
