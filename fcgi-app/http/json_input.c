#define _GNU_SOURCE
#include "fcgi-app/http/json_input.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/http/json.h"

static bool check_headers(struct exchange *exchange)
{
	const char *type = exchange_variable(exchange, "CONTENT_TYPE");
	const char *encoding = exchange_variable(exchange, "HTTP_CONTENT_ENCODING");

	if (*encoding && strcmp(encoding, "identity") != 0) {
		answer_problem(exchange, 415, "a compressed body is not taken");
		return false;
	}
	/* Curl and scripts often send none; browsers cannot send JSON to another
	 * origin without asking first, whatever type they give. */
	if (*type && !http_is_json(type)) {
		answer_problem(exchange, 415, "the body must be application/json in UTF-8");
		return false;
	}
	return true;
}

static struct text without_mark(const struct buffer *body)
{
	struct text text = { (const char *)body->data, body->length };

	if (text.length >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3)) {
		text.data += 3;
		text.length -= 3;
	}
	return text;
}

static void refuse_json(struct exchange *exchange, const char *wrong, size_t offset)
{
	char detail[160];

	snprintf(detail, sizeof detail, "the body is not JSON: %s (at byte %zu)", wrong, offset);
	answer_problem(exchange, 400, detail);
}

static bool check_body(struct exchange *exchange, struct text text)
{
	size_t most = exchange->config->json_values, offset;
	const char *wrong = json_check_counted(text.data, text.length, most, &offset);
	char detail[96];

	if (wrong == json_too_many) {
		snprintf(detail, sizeof detail, "the body has more than %zu JSON values", most);
		answer_problem(exchange, 413, detail);
	} else if (wrong) {
		refuse_json(exchange, wrong, offset);
	} else if (text.data[strspn(text.data, " \t\r\n")] != '{') {
		answer_problem(exchange, 400, "the body must be a JSON object");
	} else {
		return true;
	}
	return false;
}

bool input_open(struct exchange *exchange, bool may_be_absent, struct input *ret_input)
{
	struct text text = without_mark(&exchange->body);

	if (!check_headers(exchange))
		return false;
	if (exchange->body.length == 0 && may_be_absent)
		text = TEXT("{}");
	else if (!check_body(exchange, text))
		return false;
	*ret_input = (struct input){ .root = text };
	return true;
}

void input_close(struct input *input)
{
	for (size_t i = 0; i < input->built_count; i++)
		json_object_put(input->built[i]);
	free(input->built);
	if (input->tokener)
		json_tokener_free(input->tokener);
}

/* ---- building what is asked for ----------------------------------------------- */

/* A text or a number, and the byte behind it, by which json-c sees its end; NULL without
 * memory. It belongs to the input. */
static struct json_object *build(struct input *input, struct text value, size_t behind)
{
	struct json_object *built;

	if (input->built_count == input->built_room) {
		size_t room = input->built_room ? 2 * input->built_room : 16;
		void *larger = reallocarray(input->built, room, sizeof *input->built);

		if (!larger)
			return NULL;
		input->built = larger;
		input->built_room = room;
	}
	if (!input->tokener)
		input->tokener = json_tokener_new();
	if (!input->tokener)
		return NULL;
	json_tokener_reset(input->tokener);
	built = json_tokener_parse_ex(input->tokener, value.data, (int)(value.length + behind));
	if (built)
		input->built[input->built_count++] = built;
	return built;
}

static struct text text_of_built(struct json_object *built)
{
	if (!built)
		return (struct text){ 0 };
	return (struct text){ json_object_get_string(built),
			      (size_t)json_object_get_string_len(built) };
}

struct text input_string(struct input *input, struct text value)
{
	return *value.data == '"' ? text_of_built(build(input, value, 0)) : (struct text){ 0 };
}

struct text input_key(struct input *input, struct text key)
{
	return input_string(input, (struct text){ key.data - 1, key.length + 2 });
}

/* ---- what is wrong ---------------------------------------------------------------- */

void input_wrong(struct input *input, const char *field, const char *message)
{
	struct field_error *error = &input->errors[input->wrong];

	if (input->wrong == INPUT_ERRORS_MAX)
		return;
	snprintf(error->field, sizeof error->field, "%s%s%s", input->place,
		 input->inside.data ? "." : "", field);
	snprintf(error->message, sizeof error->message, "%s", message);
	input->wrong++;
}

static void wrong_type(struct input *input, const char *field, const char *expected,
		       struct text got)
{
	const char *name = *got.data == '"'                       ? "a string"
			   : *got.data == '{'                     ? "an object"
			   : *got.data == '['                     ? "an array"
			   : *got.data == 't' || *got.data == 'f' ? "a boolean"
								  : "a number";
	char message[120];

	snprintf(message, sizeof message, "must be %s, not %s", expected, name);
	input_wrong(input, field, message);
}

static void note_asked(struct input *input, const char *field)
{
	struct input_names *names = input->inside.data ? &input->inside_names : &input->root_names;

	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->list[i], field))
			return;
	if (names->count < INPUT_NAMES_MAX)
		names->list[names->count++] = field;
}

/* False if it is absent or null. */
static bool find(struct input *input, const char *field, struct text *ret_value)
{
	note_asked(input, field);
	return json_member(input->inside.data ? input->inside : input->root, field, ret_value) &&
	       *ret_value->data != 'n';
}

void input_enter(struct input *input, struct text object, const char *place)
{
	input->inside = object;
	input->inside_names.count = 0;
	snprintf(input->place, sizeof input->place, "%s", place);
}

void input_leave(struct input *input)
{
	input->inside = (struct text){ 0 };
	input->place[0] = '\0';
}

bool input_has(struct input *input, const char *field)
{
	struct text value;

	return find(input, field, &value);
}

/* ---- getters --------------------------------------------------------------------------- */

void input_too_many(struct input *input, const char *field, size_t most, size_t count)
{
	char message[96];

	snprintf(message, sizeof message, "must have at most %zu items, not %zu", most, count);
	input_wrong(input, field, message);
	input->too_large = true;
}

static bool text_fits(struct input *input, const char *field, unsigned flags, size_t most_bytes,
		      struct text text)
{
	char message[96];

	if ((flags & INPUT_NOT_EMPTY) && text.length == 0) {
		input_wrong(input, field, "must not be empty");
	} else if ((flags & INPUT_NO_NUL) && memchr(text.data, '\0', text.length)) {
		input_wrong(input, field, "must not hold a NUL character");
	} else if (text.length > most_bytes) {
		snprintf(message, sizeof message, "must be at most %zu bytes long, not %zu",
			 most_bytes, text.length);
		input_wrong(input, field, message);
		input->too_large = true;
	} else {
		return true;
	}
	return false;
}

struct text input_text(struct input *input, const char *field, unsigned flags, size_t most_bytes)
{
	struct text value, text = { 0 };

	if (!find(input, field, &value)) {
		if (flags & INPUT_REQUIRED)
			input_wrong(input, field, "is missing: a string was expected");
		return text;
	}
	if (*value.data != '"') {
		wrong_type(input, field, "a string", value);
		return text;
	}
	text = input_string(input, value);
	if (!text.data)
		input_wrong(input, field, "is too much for the memory that is left");
	else if (!text_fits(input, field, flags, most_bytes, text))
		text = (struct text){ 0 };
	return text;
}

static bool is_number(struct text value)
{
	return *value.data == '-' || (*value.data >= '0' && *value.data <= '9');
}

/* The number under a field, built; NULL if absent or wrong (then noted). */
static struct json_object *find_number(struct input *input, const char *field, const char *expected)
{
	struct text value;
	struct json_object *built;

	if (!find(input, field, &value))
		return NULL;
	if (!is_number(value)) {
		wrong_type(input, field, expected, value);
		return NULL;
	}
	built = build(input, value, 1); /* a bracket or a comma follows */
	if (!built)
		input_wrong(input, field, "is too much for the memory that is left");
	return built;
}

uint64_t input_whole(struct input *input, const char *field, uint64_t least, uint64_t most)
{
	struct json_object *value = find_number(input, field, "a whole number");
	char message[96];

	if (!value)
		return 0;
	/* json-c holds what is too large for it at the ends of its range: such a
	 * number is out of ours as well. */
	int64_t number = json_object_get_int64(value);
	if (json_object_is_type(value, json_type_int) && number >= 0 && (uint64_t)number >= least &&
	    (uint64_t)number <= most)
		return (uint64_t)number;
	if (most == UINT64_MAX)
		snprintf(message, sizeof message, "must be a whole number of at least %llu",
			 (unsigned long long)least);
	else
		snprintf(message, sizeof message, "must be a whole number from %llu to %llu",
			 (unsigned long long)least, (unsigned long long)most);
	input_wrong(input, field, message);
	return 0;
}

bool input_bool(struct input *input, const char *field, bool fallback)
{
	struct text value;

	if (!find(input, field, &value))
		return fallback;
	if (*value.data != 't' && *value.data != 'f') {
		wrong_type(input, field, "true or false", value);
		return fallback;
	}
	return *value.data == 't';
}

uint64_t input_seconds_ms(struct input *input, const char *field, unsigned least_s, unsigned most_s)
{
	struct json_object *value = find_number(input, field, "a number of seconds");
	char message[96];
	double seconds;

	if (!value)
		return 0;
	seconds = json_object_get_double(value);
	if (!isfinite(seconds) || seconds < least_s || seconds > most_s) {
		snprintf(message, sizeof message, "must be a number of seconds from %u to %u",
			 least_s, most_s);
		input_wrong(input, field, message);
		return 0;
	}
	return (uint64_t)(seconds * 1000.0 + 0.5);
}

bool input_number(struct input *input, const char *field, double least, double *ret_number)
{
	struct json_object *value = find_number(input, field, "a number");
	char message[96];
	double number;

	if (!value)
		return false;
	number = json_object_get_double(value);
	if (!isfinite(number) || number < least) {
		snprintf(message, sizeof message, "must be a finite number of at least %g", least);
		input_wrong(input, field, message);
		return false;
	}
	*ret_number = number;
	return true;
}

static struct text find_container(struct input *input, const char *field, char bracket,
				  const char *expected)
{
	struct text value;

	if (!find(input, field, &value))
		return (struct text){ 0 };
	if (*value.data != bracket) {
		wrong_type(input, field, expected, value);
		return (struct text){ 0 };
	}
	return value;
}

struct text input_object(struct input *input, const char *field)
{
	return find_container(input, field, '{', "an object");
}

struct text input_array(struct input *input, const char *field)
{
	return find_container(input, field, '[', "an array");
}

bool input_refused(struct exchange *exchange, const struct input *input, int status)
{
	if (!input->wrong)
		return false;
	answer_field_problems(exchange, input->too_large && input->wrong == 1 ? 413 : status,
			      input->errors, input->wrong);
	return true;
}
