/* runs.c - the native API's calls that run something, one-shots and in a session: each
 * answered at the end, or as a stream of events. One-shots are dialect E's too: one
 * answer holds the members of both. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/workspace.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/native.h"
#include "fcgi-app/routes.h"

/* ---- both kinds of answer ---------------------------------------------------- */

struct inline_answer {
	const struct inline_files *files; /* NULL: none are returned */
	size_t most_bytes;
};

static void write_files(struct json_writer *writer, const struct executor_answer *answer,
			void *context)
{
	const struct inline_answer *wanted = context;

	writer_open_object(writer, "files");
	if (wanted->files)
		inline_files_write(writer, wanted->files, answer->fd, wanted->most_bytes);
	writer_close_object(writer);
}

static bool wants_events(const struct exchange *exchange)
{
	return exchange_wants_events(exchange_variable(exchange, "HTTP_ACCEPT"));
}

/* `files` go in and out; NULL: there are none. */
static void run_and_show(struct exchange *exchange, struct exec_request *request,
			 struct inline_files *files)
{
	struct inline_answer wanted = { files, exchange->config->body_bytes };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct outcome outcome;
	bool events = wants_events(exchange);
	bool done = events ? events_run(exchange, request, write_files, &wanted)
			   : run_outcome(exchange, request, &answer, &outcome);

	if (!done && files && files->failed)
		inline_files_refuse(exchange, files);
	if (!done || events)
		return;

	struct json_writer writer = answer_open(exchange, 200);
	result_write(&writer, &outcome, request->session_id);
	write_files(&writer, &answer, &wanted);
	answer_finish(exchange, &writer);
}

/* ---- one-shots ----------------------------------------------------------------- */

static void check_language(struct input *input)
{
	struct text language = input_text(input, "language", 0, 64);

	if (language.data && !text_equals(language, "python"))
		input_wrong(input, "language", "must be \"python\"");
}

void native_execute(struct exchange *exchange)
{
	const struct config *config = exchange->config;
	struct exec_request request = run_request(exchange, FRAME_EXECUTE, "native");
	AUTO_INPUT input = { 0 };
	AUTO_INLINE files = { 0 };
	struct text profile;

	if (!input_open(exchange, false, &input))
		return;
	request.code = input_text(&input, "code", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				  config->code_bytes);
	request.input = input_text(&input, "stdin", 0, config->stdin_bytes);
	profile = input_text(&input, "profile", INPUT_NOT_EMPTY | INPUT_NO_NUL, 64);
	if (profile.data)
		request.profile = profile.data;
	request.environment = input_text(&input, "environment", INPUT_NOT_EMPTY | INPUT_NO_NUL, 64);
	limits_read(&input, LIMITS_OF_RUN, &request);
	limits_read_timeout(&input, &request, wants_events(exchange));
	limits_read_memory(&input, &request);
	check_language(&input);
	inline_files_read(&input, &files);
	input_refuse_unknown(&input);
	if (input_refused(exchange, &input, 422))
		return;
	request.files = inline_files_hook(&files);
	run_and_show(exchange, &request, &files);
}

/* ---- in a session ---------------------------------------------------------------- */

void sessions_execute(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_EXECUTE, &request) ||
	    !input_open(exchange, false, &input))
		return;
	request.code = input_text(&input, "code", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				  exchange->config->code_bytes);
	request.input = input_text(&input, "stdin", 0, exchange->config->stdin_bytes);
	request.detach = input_bool(&input, "detach", false);
	request.interactive = input_bool(&input, "interactive", false);
	limits_read_timeout(&input, &request, request.detach || wants_events(exchange));
	if (request.interactive && request.input.data)
		input_wrong(&input, "stdin",
			    "comes by POST .../stdin where the cell is interactive");
	input_refuse_unknown(&input);
	if (!input_refused(exchange, &input, 422))
		run_and_show(exchange, &request, NULL);
}

/* A shell command beside the interpreter, in the same sandbox. */
void sessions_run(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_RUN, &request) ||
	    !input_open(exchange, false, &input))
		return;
	request.code = input_text(&input, "cmd", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				  COMMAND_BYTES_MAX);
	request.input = input_text(&input, "stdin", 0, exchange->config->stdin_bytes);
	limits_read_timeout(&input, &request, wants_events(exchange));
	input_refuse_unknown(&input);
	if (!input_refused(exchange, &input, 422))
		run_and_show(exchange, &request, NULL);
}

/* ---- the last cells of a session -----------------------------------------------------
 *
 * As they are kept and as they go on, and the input that one asks for. A client that lost
 * its connection finds here what went on without it. */

/* Digits and nothing else, up to `end`. False if it is no number from 1 on. */
static bool read_number(const char *text, char end, uint64_t *ret_number, const char **ret_end)
{
	uint64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && at - text < 18; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	*ret_number = number;
	*ret_end = at;
	return at > text && *at == end;
}

/* A request about the cell in the path; false when the answer has been given. */
static bool cell_request(struct exchange *exchange, struct exec_request *ret_request)
{
	const char *end;

	if (!session_request(exchange, FRAME_SESSION_CELL, ret_request))
		return false;
	if (read_number(exchange->parameters[1].data, '\0', &ret_request->execution, &end) &&
	    ret_request->execution)
		return true;
	answer_field_problem(exchange, 422, "cell", "must be the number of a cell, from 1 on");
	return false;
}

/* "7.12": the events after the twelfth of cell 7. Another cell's says nothing here. */
static void read_last_event(const struct exchange *exchange, struct exec_request *request)
{
	const char *at = exchange_variable(exchange, "HTTP_LAST_EVENT_ID");
	uint64_t cell, sequence;

	if (read_number(at, '.', &cell, &at) && cell == request->execution &&
	    read_number(at + 1, '\0', &sequence, &at))
		request->sequence = sequence + 1;
}

static void finish_nothing(struct json_writer *writer, const struct executor_answer *answer,
			   void *context)
{
	(void)answer, (void)context;
	writer_open_object(writer, "files");
	writer_close_object(writer);
}

void sessions_cell(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (!cell_request(exchange, &request))
		return;
	if (exchange_wants_events(exchange_variable(exchange, "HTTP_ACCEPT"))) {
		request.follow = true;
		read_last_event(exchange, &request);
		events_run(exchange, &request, finish_nothing, NULL);
		return;
	}
	if (!run_ask(exchange, &request, &answer))
		return;
	if (answer.type == FRAME_REFUSAL) {
		run_refuse(exchange, &answer);
		return;
	}
	struct json_writer writer = answer_open(exchange, 200);
	view_cell(&writer, &answer, request.session_id);
	answer_finish(exchange, &writer);
}

void sessions_cells(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_CELLS, &request) ||
	    !run_call(exchange, &request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "id", request.session_id);
	view_cells(&writer, &answer);
	answer_finish(exchange, &writer);
}

void sessions_stdin(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_STDIN, &request) ||
	    !input_open(exchange, false, &input))
		return;
	request.input = input_text(&input, "data", 0, exchange->config->stdin_bytes);
	request.end_of_input = input_bool(&input, "eof", false);
	if (!input.wrong && !request.input.length && !request.end_of_input)
		input_wrong(&input, "data", "is missing: a string was expected, or \"eof\": true");
	input_refuse_unknown(&input);
	if (!input_refused(exchange, &input, 422) &&
	    run_call(exchange, &request, FRAME_REPLY, &answer))
		answer_nothing(exchange);
}
