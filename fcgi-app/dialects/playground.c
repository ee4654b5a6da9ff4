/* playground.c - dialect A: one-shot runs for a browser playground. */
#include <stdio.h>

#include "fcgi-app/http/answer.h"
#include "fcgi-app/handlers.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/execution/exec_run.h"
#include "fcgi-app/config.h"

void playground_root(struct exchange *exchange)
{
	bool executor = text_equals(exchange->target.pieces[0], "executor");
	struct json_writer writer = answer_open(exchange, 200);

	writer_string(&writer, "message",
		      executor ? "Python Playground Executor" : "Python Playground API");
	writer_string(&writer, "status", "running");
	writer_string(&writer, "version", VIVARIUM_VERSION);
	answer_finish(exchange, &writer);
}

void playground_health(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_INFO, NULL);
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!run_call(exchange, &request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_string(&writer, "status", "healthy");
	writer_string(&writer, "executor", "healthy");
	writer_string(&writer, "version", VIVARIUM_VERSION);
	answer_finish(exchange, &writer);
}

static bool language_is_known(struct exchange *exchange, struct text language)
{
	if (!language.data || text_equals(language, "python"))
		return true;
	answer_field_problem(exchange, 400, "language", "is not known; known languages: python");
	return false;
}

/* Null on success; else the limit's sentence, or the traceback, or what is
 * nearest to it. */
static struct text error_text(const struct outcome *outcome, char sentence[OUTCOME_SENTENCE_BYTES])
{
	if (outcome->status == STATUS_SUCCESS)
		return (struct text){ 0 };
	if (*outcome_sentence(outcome, sentence))
		return text_of(sentence);
	if (outcome->reason == REASON_EXCEPTION && outcome->report.traceback.data)
		return outcome->report.traceback;
	if (outcome->err.length)
		return outcome->err;
	snprintf(sentence, OUTCOME_SENTENCE_BYTES, "Exited with code %lld",
		 (long long)outcome->return_code);
	return text_of(sentence);
}

static void render(struct exchange *exchange, const struct outcome *outcome)
{
	struct json_writer writer = answer_open(exchange, 200);
	char sentence[OUTCOME_SENTENCE_BYTES];

	writer_text(&writer, "output", outcome->out);
	writer_text(&writer, "error", error_text(outcome, sentence));
	writer_decimal(&writer, "execution_time", outcome->wall_us, 6);
	writer_text(&writer, "stdout", outcome->out);
	writer_text(&writer, "stderr", outcome->err);
	writer_string(&writer, "status", protocol_status_name(outcome->status));
	writer_string(&writer, "reason", protocol_reason_name(outcome->reason));
	writer_number(&writer, "return_code", outcome->return_code);
	answer_finish(exchange, &writer);
}

void playground_execute(struct exchange *exchange)
{
	const struct config *config = exchange->config;
	struct exec_request request = run_request(exchange, FRAME_EXECUTE, "playground");
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	struct outcome outcome;
	struct text language;

	if (!input_open(exchange, false, &input))
		return;
	request.code = input_text(&input, "code", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				  config->code_bytes);
	request.input = input_text(&input, "input_data", 0, config->stdin_bytes);
	request.restricted = config->playground_restricted;
	language = input_text(&input, "language", 0, 64);
	if (input_refused(exchange, &input, 422) || !language_is_known(exchange, language))
		return;
	if (run_outcome(exchange, &request, &answer, &outcome))
		render(exchange, &outcome);
}
