/* cells.c - the last cells of a session, as they are kept and as they go on; and the
 * input of one that runs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/handlers.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/events.h"
#include "fcgi-app/native/session_view.h"

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
