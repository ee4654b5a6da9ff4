#include "fcgi-app/http/json_input.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/http/json_check.h"

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

static struct json_object *parse(struct text text)
{
	/* Two levels more than the check allows: json-c counts scalars too. */
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
	struct json_object *root = NULL;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text.data, (int)text.length);
	if (root && json_tokener_get_parse_end(tokener) != text.length) {
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

static void refuse_json(struct exchange *exchange, const char *wrong, size_t offset)
{
	char detail[160];

	snprintf(detail, sizeof detail, "the body is not JSON: %s (at byte %zu)", wrong, offset);
	answer_problem(exchange, 400, detail);
}

bool input_open(struct exchange *exchange, bool may_be_absent, struct input *ret_input)
{
	struct input input = { 0 };
	struct text text = without_mark(&exchange->body);
	const char *wrong;
	size_t offset;

	if (!check_headers(exchange))
		return false;
	if (exchange->body.length == 0 && may_be_absent) {
		input.root = json_object_new_object();
	} else {
		wrong = json_check(text.data, text.length, &offset);
		if (wrong) {
			refuse_json(exchange, wrong, offset);
			return false;
		}
		if (text.data[strspn(text.data, " \t\r\n")] != '{') {
			answer_problem(exchange, 400, "the body must be a JSON object");
			return false;
		}
		input.root = parse(text);
	}
	if (!input.root) {
		answer_problem(exchange, 400, "the body is not JSON");
		return false;
	}
	*ret_input = input;
	return true;
}

void input_close(struct input *input)
{
	json_object_put(input->root);
	input->root = NULL;
}

void input_wrong(struct input *input, const char *field, const char *message)
{
	struct field_error *error = &input->errors[input->wrong];

	if (input->wrong == INPUT_ERRORS_MAX)
		return;
	snprintf(error->field, sizeof error->field, "%s%s%s", input->place,
		 input->inside ? "." : "", field);
	snprintf(error->message, sizeof error->message, "%s", message);
	input->wrong++;
}

static void wrong_type(struct input *input, const char *field, const char *expected,
		       struct json_object *got)
{
	static const char *const names[] = {
		[json_type_null] = "null",        [json_type_boolean] = "a boolean",
		[json_type_double] = "a number",  [json_type_int] = "a number",
		[json_type_object] = "an object", [json_type_array] = "an array",
		[json_type_string] = "a string",
	};
	char message[120];

	snprintf(message, sizeof message, "must be %s, not %s", expected,
		 names[json_object_get_type(got)]);
	input_wrong(input, field, message);
}

/* The value, or NULL if it is absent or null. */
static struct json_object *find(const struct input *input, const char *field)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(input->inside ? input->inside : input->root, field, &value);
	return value;
}

void input_enter(struct input *input, struct json_object *object, const char *place)
{
	input->inside = object;
	snprintf(input->place, sizeof input->place, "%s", place);
}

void input_leave(struct input *input)
{
	input->inside = NULL;
	input->place[0] = '\0';
}

bool input_has(const struct input *input, const char *field)
{
	return find(input, field) != NULL;
}

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
	struct json_object *value = find(input, field);
	struct text text = { 0 };

	if (!value) {
		if (flags & INPUT_REQUIRED)
			input_wrong(input, field, "is missing: a string was expected");
		return text;
	}
	if (!json_object_is_type(value, json_type_string)) {
		wrong_type(input, field, "a string", value);
		return text;
	}
	text.data = json_object_get_string(value);
	text.length = (size_t)json_object_get_string_len(value);
	return text_fits(input, field, flags, most_bytes, text) ? text : (struct text){ 0 };
}

uint64_t input_whole(struct input *input, const char *field, uint64_t least, uint64_t most)
{
	struct json_object *value = find(input, field);
	char message[96];

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_int)) {
		wrong_type(input, field, "a whole number", value);
		return 0;
	}
	/* json-c holds what is too large for it at the ends of its range: such a
	 * number is out of ours as well. */
	int64_t number = json_object_get_int64(value);
	if (number < 0 || (uint64_t)number < least || (uint64_t)number > most) {
		snprintf(message, sizeof message, "must be a whole number from %llu to %llu",
			 (unsigned long long)least, (unsigned long long)most);
		input_wrong(input, field, message);
		return 0;
	}
	return (uint64_t)number;
}

bool input_bool(struct input *input, const char *field, bool fallback)
{
	struct json_object *value = find(input, field);

	if (!value)
		return fallback;
	if (!json_object_is_type(value, json_type_boolean)) {
		wrong_type(input, field, "true or false", value);
		return fallback;
	}
	return json_object_get_boolean(value);
}

uint64_t input_seconds_ms(struct input *input, const char *field, unsigned least_s, unsigned most_s)
{
	struct json_object *value = find(input, field);
	char message[96];
	double seconds;

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double)) {
		wrong_type(input, field, "a number of seconds", value);
		return 0;
	}
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
	struct json_object *value = find(input, field);
	char message[96];
	double number;

	if (!value)
		return false;
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double)) {
		wrong_type(input, field, "a number", value);
		return false;
	}
	number = json_object_get_double(value);
	if (!isfinite(number) || number < least) {
		snprintf(message, sizeof message, "must be a finite number of at least %g", least);
		input_wrong(input, field, message);
		return false;
	}
	*ret_number = number;
	return true;
}

struct json_object *input_object(struct input *input, const char *field)
{
	struct json_object *value = find(input, field);

	if (value && !json_object_is_type(value, json_type_object)) {
		wrong_type(input, field, "an object", value);
		return NULL;
	}
	return value;
}

struct json_object *input_array(struct input *input, const char *field)
{
	struct json_object *value = find(input, field);

	if (value && !json_object_is_type(value, json_type_array)) {
		wrong_type(input, field, "an array", value);
		return NULL;
	}
	return value;
}

bool input_refused(struct exchange *exchange, const struct input *input, int status)
{
	if (!input->wrong)
		return false;
	answer_field_problems(exchange, input->too_large && input->wrong == 1 ? 413 : status,
			      input->errors, input->wrong);
	return true;
}
