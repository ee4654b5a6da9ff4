/* buffer.h - bytes that grow up to a limit. */
#ifndef VIVARIUM_BUFFER_H
#define VIVARIUM_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *data;
	size_t length;
	size_t capacity;
	size_t limit; /* bytes; 0 means SIZE_MAX */
};

/* An empty buffer that refuses to grow past limit_bytes. */
#define BUFFER_INIT(limit_bytes) ((struct buffer){ .limit = (limit_bytes) })

/* Room for `extra` more bytes. 0, -ENOMEM, or -EMSGSIZE past the limit. */
int buffer_reserve(struct buffer *buffer, size_t extra);
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/* Drop the first `length` bytes (at most what is there). */
void buffer_consume(struct buffer *buffer, size_t length);

/* Drop all but the first `length` bytes, and give back the memory of the rest. */
void buffer_shorten(struct buffer *buffer, size_t length);

/* Free the bytes and make the buffer empty; its limit stays. */
void buffer_reset(struct buffer *buffer);

/* For __attribute__((cleanup)). */
#define AUTO_BUFFER __attribute__((cleanup(buffer_reset))) struct buffer

#endif
