/* text.h - views of bytes, and UTF-8 that nobody has checked yet. */
#ifndef VIVARIUM_TEXT_H
#define VIVARIUM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* The first `most` bytes at most, cut at a character's end. */
struct text text_cut(struct text text, size_t most);

/* Is this UTF-8 (no surrogates, nothing above U+10FFFF, no overlong forms)? */
bool utf8_valid(const void *text, size_t length);

#endif
