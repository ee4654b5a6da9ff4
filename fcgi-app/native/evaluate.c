/* evaluate.c - judging: read the request, ask the executor, decode what it says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/workspace.h"
#include "fcgi-app/http/json.h"
#include "fcgi-app/native/native.h"

/* ---- the cases of a request, checked and in the executor's form --------------- */

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

/* ---- files ---------------------------------------------------------------- */

/* Where the files of every sandbox come from, and why they did not get there. */
struct source {
	struct workspace_copy copy;
	int failed;
};

static int put_copy(void *context, int workspace_fd)
{
	struct source *source = context;

	source->failed = workspace_copy_put(&source->copy, workspace_fd);
	return source->failed;
}

/* An empty workspace costs nothing: no sandbox waits for its files. 1, 0 or -errno. */
static int has_files(int workspace_fd)
{
	static const struct files_tree_limits one = { .most_nodes = 1,
						      .most_path_bytes = WORKSPACE_PATH_BYTES_MAX };
	struct files_tree tree = { 0 };
	int failed;
	bool found;

	if (workspace_fd < 0)
		return 0;
	failed = files_tree_read(workspace_fd, NULL, &one, &tree);
	if (failed)
		return failed;
	found = tree.count || tree.cut;
	files_tree_free(&tree);
	return found;
}

/* ---- asking --------------------------------------------------------------- */

static bool take_answer(struct exchange *exchange, const struct evaluate_call *call,
			struct evaluate *evaluate)
{
	if (evaluate->answer.type == FRAME_REFUSAL) {
		run_refuse_as(exchange, &evaluate->answer, call->invalid_status);
		return false;
	}
	if (evaluate->answer.type != FRAME_REPLY || evaluate_decode(evaluate)) {
		run_not_understood(exchange);
		return false;
	}
	return true;
}

static void set_limit(struct exec_request *request, enum field limit,
		      const struct evaluate_call *call)
{
	uint64_t ms = limit == FIELD_WALL_MS ? call->wall_ms : call->cpu_ms;

	exec_request_default(request, limit, ms);
	request->limits[limit - FIELD_WALL_MS].is_default = call->limits_are_defaults;
}

bool evaluate_ask(struct exchange *exchange, const struct evaluate_call *call,
		  struct evaluate *evaluate)
{
	struct exec_request request = run_request(exchange, FRAME_EVALUATE, call->profile);
	struct source source = { .failed = 0 };
	int found = has_files(call->workspace_fd);

	if (found > 0 && workspace_copy_open(call->workspace_fd, &source.copy))
		found = -EIO;
	const struct exec_files files = { put_copy, &source, source.copy.limits.most_bytes };
	if (found < 0) {
		workspace_refuse(exchange, found);
		return false;
	}
	request.session_id = call->session_id;
	request.code = evaluate->code;
	request.entry_point = evaluate->entry_point;
	request.cases = &evaluate->fields;
	request.files = found ? &files : NULL;
	set_limit(&request, FIELD_WALL_MS, call);
	set_limit(&request, FIELD_CPU_MS, call);
	if (!run_ask(exchange, &request, &evaluate->answer)) {
		if (source.failed)
			workspace_refuse(exchange, source.failed);
		return false;
	}
	return take_answer(exchange, call, evaluate);
}

/* ---- decoding ------------------------------------------------------------- */

static struct text text_in(const struct field_view *list, enum field field)
{
	struct field_view view;

	if (fields_find(list->value, list->length, field, &view) != 1)
		return (struct text){ 0 };
	return (struct text){ (const char *)view.value, view.length };
}

/* A case that was not run has no outcome, only the reason as a message. */
static int decode_outcome(const struct field_view *list, struct evaluate_result *result)
{
	struct field_view status;
	int found = fields_find(list->value, list->length, FIELD_STATUS, &status);

	if (found == 0 && result->message.data) {
		result->outcome = (struct outcome){ .status = STATUS_ERROR };
		return 0;
	}
	return outcome_read_list(list->value, list->length, &result->outcome);
}

static int decode_result(const struct field_view *list, struct evaluate_result *ret_result)
{
	struct evaluate_result result = {
		.known = true,
		.passed = fields_number(list->value, list->length, FIELD_PASSED, 0) == 1,
		.got = text_in(list, FIELD_GOT),
		.expected = text_in(list, FIELD_EXPECTED),
		.message = text_in(list, FIELD_MESSAGE),
		.printed = text_in(list, FIELD_CONTENT),
	};

	if (result.printed.data) /* it may have been cut */
		result.printed = text_without_half_character(result.printed);
	if (decode_outcome(list, &result))
		return -EBADMSG;
	*ret_result = result;
	return 0;
}

static int decode_case(const struct field_view *list, struct evaluate *evaluate)
{
	uint64_t index = fields_number(list->value, list->length, FIELD_INDEX, UINT64_MAX);

	if (index >= evaluate->asked_count)
		return -EBADMSG;
	index = evaluate->asked[index];
	if (evaluate->results[index].known)
		return -EBADMSG;
	return decode_result(list, &evaluate->results[index]);
}

/* Cases that could not be asked about have their reason instead. */
static void fail_unasked(struct evaluate *evaluate)
{
	for (size_t i = 0; i < evaluate->count; i++)
		if (evaluate->cases[i].wrong)
			evaluate->results[i] = (struct evaluate_result){
				.known = true,
				.message = text_of(evaluate->cases[i].wrong),
				.outcome = { .status = STATUS_ERROR },
			};
}

int evaluate_decode(struct evaluate *evaluate)
{
	const struct buffer *payload = &evaluate->answer.payload;
	struct fields_reader reader;
	struct field_view field;
	int got;

	evaluate->results = calloc(evaluate->count + 1, sizeof *evaluate->results);
	if (!evaluate->results)
		return -ENOMEM;
	fail_unasked(evaluate);
	fields_open(&reader, payload->data, payload->length);
	while ((got = fields_next(&reader, &field)) > 0) {
		int failed = 0;

		if (field.tag == FIELD_LOAD)
			failed = decode_result(&field, &evaluate->load);
		else if (field.tag == FIELD_CASE_RESULT)
			failed = decode_case(&field, evaluate);
		if (failed)
			return failed;
	}
	if (got < 0)
		return -EBADMSG;
	evaluate->load_failed = evaluate->load.known;
	for (size_t i = 0; i < evaluate->count; i++)
		if (!evaluate->results[i].known && !evaluate->load_failed)
			return -EBADMSG; /* a case without a verdict */
	return 0;
}

void evaluate_free(struct evaluate *evaluate)
{
	free(evaluate->cases);
	free(evaluate->asked);
	free(evaluate->results);
	buffer_reset(&evaluate->fields);
	executor_answer_free(&evaluate->answer);
}
