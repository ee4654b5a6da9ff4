/* json_input.h - typed getters for a request's JSON object.
 *
 * The body is checked to the letter and then looked into: only what a getter asks for is
 * built, by json-c, and only texts and numbers. A body of a million members that nobody
 * asks for takes no memory but its own.
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
struct json_tokener;

enum { INPUT_ERRORS_MAX = 8, INPUT_PLACE_BYTES = 40, INPUT_NAMES_MAX = 24 };

enum input_flag {
	INPUT_REQUIRED = 1,
	INPUT_NOT_EMPTY = 2,
	INPUT_NO_NUL = 4,
};

/* The members that have been asked for: those that are known. */
struct input_names {
	const char *list[INPUT_NAMES_MAX];
	size_t count;
};

struct input {
	struct text root;   /* the body's object */
	struct text inside; /* what the getters look at; absent: the root */
	char place[INPUT_PLACE_BYTES]; /* its name, "cases[3]" */
	struct input_names root_names, inside_names;
	size_t wrong;
	bool too_large; /* one of them only for its size */
	struct field_error errors[INPUT_ERRORS_MAX];
	struct json_tokener *tokener;
	struct json_object **built; /* what texts point into */
	size_t built_count, built_room;
};

/* Check the body. True with *ret_input filled; false when the answer (400, 413, 415)
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

/* The object or array under a field as it stands in the body, to be walked through
 * (json.h); absent if it is not there, or wrong (then noted). */
struct text input_object(struct input *input, const char *field);
struct text input_array(struct input *input, const char *field);

/* The text of a string, or of a key, that such a walk has found, with a NUL behind it;
 * absent if it is no string, or there is no memory. */
struct text input_string(struct input *input, struct text value);
struct text input_key(struct input *input, struct text key);

/* Until input_leave() the getters look for members of this object, and errors
 * name them "place.member". The object belongs to the input. */
void input_enter(struct input *input, struct text object, const char *place);
void input_leave(struct input *input);

/* Is there such a member, and is it not null? */
bool input_has(struct input *input, const char *field);

/* Note every member that no getter has asked for, with the nearest name that one has. For
 * native calls, after the last getter; the dialects' clients may send what they like. */
void input_refuse_unknown(struct input *input);

/* Note that an array or object has too many members: 413 if only that is wrong. */
void input_too_many(struct input *input, const char *field, size_t most, size_t count);

/* Note an error that a caller found. */
void input_wrong(struct input *input, const char *field, const char *message);

/* True when something was wrong: the answer has been given, with `status` (422,
 * or 400 in the dialects that say so), or 413 where only the size is wrong. */
bool input_refused(struct exchange *exchange, const struct input *input, int status);

#endif
