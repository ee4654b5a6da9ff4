/* evaluate_cases.c - the cases of a request, checked and in the executor's form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/native/evaluate.h"
#include "common/fields.h"
#include "fcgi-app/http/json_span.h"

/* An expression such as Solution().add; a program belongs into the code. */
enum { ENTRY_POINT_BYTES = 4096, TOLERANCE_BYTES = 32 };

/* A tolerance as text, "" where there is none: the request's own for a case that
 * has none. 17 digits are what tells every double from every other. */
static void read_tolerance(struct input *input, const char *otherwise, char out[TOLERANCE_BYTES])
{
	double tolerance;

	if (input_number(input, "tolerance", 0, &tolerance))
		snprintf(out, TOLERANCE_BYTES, "%.17g", tolerance + 0.0); /* -0.0 becomes 0 */
	else
		snprintf(out, TOLERANCE_BYTES, "%s", otherwise);
}

static int encode_case(const struct evaluate_case *one, const char *tolerance,
		       struct buffer *fields)
{
	AUTO_BUFFER list = BUFFER_INIT(FRAME_REQUEST_MAX);
	unsigned in = one->prints ? FIELD_STDIN : FIELD_CASE_INPUT;
	unsigned out = one->prints ? FIELD_CASE_STDOUT : FIELD_CASE_OUTPUT;
	int failed = fields_put_bytes(&list, in, one->input.data, one->input.length);

	if (!failed)
		failed = fields_put_bytes(&list, out, one->output.data, one->output.length);
	if (!failed && *tolerance)
		failed = fields_put_text(&list, FIELD_TOLERANCE, tolerance);
	return failed ? failed : fields_put_bytes(fields, FIELD_CASE, list.data, list.length);
}

/* The texts of a case whose object has been entered. */
static void read_texts(struct input *input, size_t most_bytes, struct evaluate_case *one)
{
	one->prints = input_has(input, "stdin") || input_has(input, "stdout");
	if (one->prints && (input_has(input, "input") || input_has(input, "output"))) {
		input_wrong(input, "input", "goes with output, and stdin with stdout");
	} else if (one->prints) {
		one->input = input_text(input, "stdin", 0, most_bytes);
		one->output = input_text(input, "stdout", INPUT_REQUIRED, most_bytes);
		if (!one->input.data)
			one->input = TEXT("");
	} else {
		one->input = input_text(input, "input", INPUT_REQUIRED | INPUT_NO_NUL, most_bytes);
		one->output =
			input_text(input, "output", INPUT_REQUIRED | INPUT_NO_NUL, most_bytes);
	}
}

/* The half of a case that is not there; NULL: both are. */
static const char *missing_half(struct input *input)
{
	if (input_has(input, "stdin") || input_has(input, "stdout"))
		return input_has(input, "stdout") ? NULL : "stdout is missing";
	if (!input_has(input, "input"))
		return "input is missing";
	return input_has(input, "output") ? NULL : "output is missing";
}

/* A case whose object has been entered. */
static void read_entered(struct input *input, size_t most_bytes, const char *tolerance,
			 struct evaluate *evaluate)
{
	struct evaluate_case *one = &evaluate->cases[evaluate->count];
	char own_tolerance[TOLERANCE_BYTES];
	size_t wrong = input->wrong;

	if (evaluate->wrong_case == WRONG_CASE_FAILS_ALONE) {
		one->wrong = missing_half(input);
		if (one->wrong) {
			if (input_has(input, "input"))
				one->input = input_text(input, "input", 0, most_bytes);
			return;
		}
	}
	read_texts(input, most_bytes, one);
	read_tolerance(input, tolerance, own_tolerance);
	if (evaluate->wrong_case == WRONG_CASE_REFUSES)
		input_refuse_unknown(input);
	evaluate->asked[evaluate->asked_count++] = evaluate->count;
	if (input->wrong == wrong && encode_case(one, own_tolerance, &evaluate->fields))
		input_wrong(input, "input", "is too much for the memory that is left");
}

static void read_case(struct input *input, struct text item, const char *place, size_t most_bytes,
		      const char *tolerance, struct evaluate *evaluate)
{
	if (*item.data == '{') {
		input_enter(input, item, place);
		read_entered(input, most_bytes, tolerance, evaluate);
		input_leave(input);
	} else {
		input_wrong(input, place, "must be an object");
	}
	evaluate->count++;
}

static size_t count_items(struct text array)
{
	struct json_walk walk;
	struct text key, item;
	size_t count = 0;

	if (array.data && json_walk_open(array, &walk))
		while (json_walk_next(&walk, &key, &item))
			count++;
	return count;
}

static void read_cases(const struct config *config, struct input *input, const char *field,
		       const char *tolerance, struct evaluate *evaluate)
{
	struct text array = input_array(input, field), key, item;
	size_t count = count_items(array);
	struct json_walk walk;
	char place[INPUT_PLACE_BYTES];

	if (count > config->evaluate_cases) {
		input_too_many(input, field, config->evaluate_cases, count);
		return;
	}
	if (count == 0)
		return;
	evaluate->cases = calloc(count, sizeof *evaluate->cases);
	evaluate->asked = calloc(count, sizeof *evaluate->asked);
	if (!evaluate->cases || !evaluate->asked || !json_walk_open(array, &walk)) {
		input_wrong(input, field, "is too much for the memory that is left");
		return;
	}
	for (size_t i = 0; i < count && json_walk_next(&walk, &key, &item); i++) {
		snprintf(place, sizeof place, "%.16s[%zu]", field, i);
		read_case(input, item, place, config->stdin_bytes, tolerance, evaluate);
	}
}

static bool has_calls(const struct evaluate *evaluate)
{
	for (size_t i = 0; i < evaluate->count; i++)
		if (!evaluate->cases[i].prints && !evaluate->cases[i].wrong)
			return true;
	return false;
}

void evaluate_read(const struct config *config, struct input *input, const char *field,
		   struct evaluate *evaluate)
{
	char tolerance[TOLERANCE_BYTES];

	evaluate->code = input_text(input, "code", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				    config->code_bytes);
	evaluate->entry_point = input_text(input, "entry_point", INPUT_NO_NUL, ENTRY_POINT_BYTES);
	if (evaluate->entry_point.length == 0)
		evaluate->entry_point = (struct text){ 0 };
	read_tolerance(input, "", tolerance);
	read_cases(config, input, field, tolerance, evaluate);
	if (!input->wrong && !evaluate->entry_point.data && has_calls(evaluate))
		input_wrong(input, "entry_point",
			    "is missing: what the cases' input is given to was expected");
}

void evaluate_free(struct evaluate *evaluate)
{
	free(evaluate->cases);
	free(evaluate->asked);
	free(evaluate->results);
	buffer_reset(&evaluate->fields);
	executor_answer_free(&evaluate->answer);
}
