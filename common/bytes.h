/* bytes.h - bytes that grow up to a limit, views of bytes, and UTF-8 that nobody has
 * checked yet. */
#ifndef VIVARIUM_BYTES_H
#define VIVARIUM_BYTES_H

#include <stdbool.h>
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

/* Bytes that belong to somebody else. data NULL: absent. Not NUL-terminated
 * unless the giver says so. */
struct text {
	const char *data;
	size_t length;
};

#define TEXT(literal) ((struct text){ .data = (literal), .length = sizeof(literal) - 1 })

struct text text_of(const char *string); /* NULL: absent */
bool text_equals(struct text text, const char *string);

/* Length in bytes (at least 1) of what stands at `at`: a well-formed UTF-8
 * sequence (*ret_valid true), or the longest piece that one U+FFFD stands for. */
size_t text_utf8_step(const uint8_t *at, size_t left, bool *ret_valid);

/* The text without an unfinished UTF-8 sequence at its end. For a stream that
 * was cut: the missing bytes would have come later. */
struct text text_without_half_character(struct text text);

/* How many bytes are left when valid UTF-8 is cut to its first, or last, `most` bytes,
 * between two characters. */
size_t utf8_cut(const void *text, size_t length, size_t most);
size_t utf8_tail(const void *text, size_t length, size_t most);

/* Is this UTF-8 (no surrogates, nothing above U+10FFFF, no overlong forms)? */
bool utf8_valid(const void *text, size_t length);

#endif
