#include "common/buffer.h"

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
