/* evaluate.c - asking the executor to judge, and what it says. */
#include "fcgi-app/native/evaluate.h"

#include <errno.h>
#include <stdlib.h>

#include "common/fields.h"
#include "common/owned.h"
#include "fcgi-app/execution/exec_run.h"
#include "fcgi-app/files/workspace.h"

/* ---- files ---------------------------------------------------------------- */

/* Where the files of every sandbox come from, and why they did not get there. */
struct source {
	int fd;
	int failed;
};

static int put_copy(void *context, int workspace_fd)
{
	struct source *source = context;

	source->failed = files_tree_copy(source->fd, workspace_fd, &workspace_whole);
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
	struct source source = { .fd = call->workspace_fd };
	struct exec_files files = { put_copy, &source };
	int found = has_files(call->workspace_fd);

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
