/* json_input.h - typed getters for a request's JSON object.
 *
 * Open, get every field, then ask input_refused() once: the answer names all
 * fields that are wrong and what was expected. A field given as null is absent.
 * The texts belong to the input and live as long as it. */
#ifndef VIVARIUM_JSON_INPUT_H
#define VIVARIUM_JSON_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi-app/http/answer.h"

struct json_object;

enum { INPUT_ERRORS_MAX = 8, INPUT_PLACE_BYTES = 40 };

enum input_flag {
	INPUT_REQUIRED = 1,
	INPUT_NOT_EMPTY = 2,
	INPUT_NO_NUL = 4,
};

struct input {
	struct json_object *root;
	struct json_object *inside;    /* what the getters look at; NULL: the root */
	char place[INPUT_PLACE_BYTES]; /* its name, "cases[3]" */
	size_t wrong;
	bool too_large; /* one of them only for its size */
	struct field_error errors[INPUT_ERRORS_MAX];
};

/* Parse the body. True with *ret_input filled; false when the answer (400, 415)
 * has been given. An absent body is an empty object if `may_be_absent`. */
bool input_open(struct exchange *exchange, bool may_be_absent, struct input *ret_input);
void input_close(struct input *input);

#define AUTO_INPUT __attribute__((cleanup(input_close))) struct input

struct text input_text(struct input *input, const char *field, unsigned flags, size_t most_bytes);

/* 0 (or false, or the fallback) when absent; least is at least 1. */
uint64_t input_whole(struct input *input, const char *field, uint64_t least, uint64_t most);
bool input_bool(struct input *input, const char *field, bool fallback);

/* Seconds, with decimals if there are any, as milliseconds. */
uint64_t input_seconds_ms(struct input *input, const char *field, unsigned least_s,
			  unsigned most_s);

/* A finite number of at least `least`. True with *ret_number set; false if it is
 * absent, or wrong (then noted). */
bool input_number(struct input *input, const char *field, double least, double *ret_number);

/* The object or array under a field, NULL if absent or wrong (then noted). */
struct json_object *input_object(struct input *input, const char *field);
struct json_object *input_array(struct input *input, const char *field);

/* Until input_leave() the getters look for members of this object, and errors
 * name them "place.member". The object belongs to the input. */
void input_enter(struct input *input, struct json_object *object, const char *place);
void input_leave(struct input *input);

/* Is there such a member, and is it not null? */
bool input_has(const struct input *input, const char *field);

/* Note that an array or object has too many members: 413 if only that is wrong. */
void input_too_many(struct input *input, const char *field, size_t most, size_t count);

/* Note an error that a caller found. */
void input_wrong(struct input *input, const char *field, const char *message);

/* True when something was wrong: the answer has been given, with `status` (422,
 * or 400 in the dialects that say so), or 413 where only the size is wrong. */
bool input_refused(struct exchange *exchange, const struct input *input, int status);

#endif
