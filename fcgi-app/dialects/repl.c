/* repl.c - dialect B: a REPL with a session in the path. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/routes.h"

/* How the cell failed: the limit's sentence, or the traceback, or what is
 * nearest to it. */
static struct text failure(const struct outcome *outcome, char sentence[OUTCOME_SENTENCE_BYTES])
{
	if (*outcome_sentence(outcome, sentence))
		return text_of(sentence);
	if (outcome->report.traceback.length)
		return outcome->report.traceback;
	if (outcome->err.length)
		return outcome->err;
	snprintf(sentence, OUTCOME_SENTENCE_BYTES, "Exited with code %lld",
		 (long long)outcome->return_code);
	return text_of(sentence);
}

/* What went wrong, and on a line of its own what that did to the user's
 * variables, where the executor says. */
static void write_error(struct json_writer *writer, const struct outcome *outcome)
{
	char sentence[OUTCOME_SENTENCE_BYTES];
	AUTO_BUFFER text = BUFFER_INIT(0);
	struct text why;

	if (outcome->status == STATUS_SUCCESS) {
		writer_null(writer, "error");
		return;
	}
	why = failure(outcome, sentence);
	if (buffer_append(&text, why.data, why.length) ||
	    (outcome->note.length &&
	     (buffer_append(&text, "\n", why.data[why.length - 1] != '\n') ||
	      buffer_append(&text, outcome->note.data, outcome->note.length))))
		writer->error = -ENOMEM;
	writer_text(writer, "error", (struct text){ (const char *)text.data, text.length });
}

static bool is_blank(struct text code)
{
	for (size_t i = 0; i < code.length; i++)
		if (!strchr(" \t\r\n\f\v", code.data[i]))
			return false;
	return true;
}

static bool id_is_valid(struct exchange *exchange)
{
	if (id_valid(exchange->parameters[0]))
		return true;
	answer_field_problem(exchange, 400, "sessionId", ID_EXPECTED);
	return false;
}

void repl_execute(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_EXECUTE, "repl");
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	struct outcome outcome;

	if (!id_is_valid(exchange) || !input_open(exchange, false, &input))
		return;
	request.session_id = exchange->parameters[0];
	request.create = true;
	request.code = input_text(&input, "code", INPUT_REQUIRED | INPUT_NO_NUL,
				  exchange->config->code_bytes);
	if (request.code.data && is_blank(request.code))
		input_wrong(&input, "code", "must not be empty");
	if (input_refused(exchange, &input, 400))
		return;
	if (!run_outcome(exchange, &request, &answer, &outcome))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "output", outcome.out);
	write_error(&writer, &outcome);
	answer_finish(exchange, &writer);
}

/* A fresh namespace is a fresh session: the old one goes, and the next use makes
 * the new one. One that does not exist is as fresh as can be. */
void repl_reset(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_DELETE, NULL);
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!id_is_valid(exchange))
		return;
	request.session_id = exchange->parameters[0];
	if (!run_ask(exchange, &request, &answer))
		return;
	if (answer.type == FRAME_REFUSAL && run_refusal(&answer) != REFUSAL_NO_SESSION) {
		run_refuse(exchange, &answer);
		return;
	}

	struct json_writer writer = answer_open(exchange, 200);
	writer_string(&writer, "message", "Namespace reset successfully");
	writer_text(&writer, "sessionId", exchange->parameters[0]);
	answer_finish(exchange, &writer);
}
