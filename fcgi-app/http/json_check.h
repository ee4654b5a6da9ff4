/* json_check.h - is this JSON, to the letter of RFC 8259?
 *
 * json-c's strict mode still takes NaN, Infinity, 'single quotes', control
 * characters in strings and halves of surrogate pairs. This check runs first;
 * what it lets through, every JSON parser reads the same way. */
#ifndef VIVARIUM_JSON_CHECK_H
#define VIVARIUM_JSON_CHECK_H

#include <stddef.h>

enum { JSON_DEPTH_MAX = 32 };

/* NULL if the text is one JSON value in valid UTF-8, nested at most
 * JSON_DEPTH_MAX deep, with nothing but white space around it; otherwise a
 * constant sentence that says what is wrong, with *ret_offset (bytes) set. */
const char *json_check(const void *text, size_t length, size_t *ret_offset);

/* The same with at most so many values in it; else json_too_many. */
const char *json_check_counted(const void *text, size_t length, size_t most_values,
			       size_t *ret_offset);
extern const char json_too_many[];

#endif
