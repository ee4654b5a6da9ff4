/* strict.c - dialect D: a session server with strict limits. */
#include <stdio.h>
#include <string.h>

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/routes.h"

/* A stream is null when empty, and both are when there is an error. */
static struct text stream(struct text bytes, const char *error)
{
	return error || bytes.length == 0 ? (struct text){ 0 } : bytes;
}

static void render(struct exchange *exchange, struct text id, const struct outcome *outcome,
		   const char *error)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_text(&writer, "id", id.data ? id : TEXT(""));
	writer_text(&writer, "stdout", stream(outcome->out, error));
	writer_text(&writer, "stderr", stream(outcome->err, error));
	writer_string(&writer, "error", error);
	answer_finish(exchange, &writer);
}

/* The dialect's own words where it has them. NULL: the program did not end its
 * process, and its traceback, if any, is in stderr. */
static const char *error_of(const struct outcome *outcome, char sentence[OUTCOME_SENTENCE_BYTES])
{
	switch (outcome->reason) {
	case REASON_WALL_TIME:
	case REASON_CPU_TIME:
		return "execution timeout";
	case REASON_MEMORY:
		return "memory limit exceeded";
	case REASON_EXIT:
		snprintf(sentence, OUTCOME_SENTENCE_BYTES, "Exited with code %lld",
			 (long long)outcome->return_code);
		return sentence;
	case REASON_CRASH:
		snprintf(sentence, OUTCOME_SENTENCE_BYTES, "Crashed: %s",
			 strsignal((int)outcome->signal));
		return sentence;
	default:
		return *outcome_sentence(outcome, sentence) ? sentence : NULL;
	}
}

/* The refusals that this dialect answers with 200. */
static bool refused(struct exchange *exchange, struct text id, bool create,
		    const struct executor_answer *answer)
{
	const struct outcome nothing = { 0 };

	switch (run_refusal(answer)) {
	case REFUSAL_SESSIONS_FULL:
	case REFUSAL_CLIENT_FULL:
		render(exchange, create ? (struct text){ 0 } : id, &nothing,
		       "max sessions reached");
		return true;
	case REFUSAL_NO_SESSION:
		render(exchange, id, &nothing, "session not found");
		return true;
	default:
		return false;
	}
}

/* `id` is what the client sees of the session's. */
static void execute(struct exchange *exchange, const struct exec_request *request, struct text id)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	char sentence[OUTCOME_SENTENCE_BYTES];
	struct outcome outcome;

	if (!run_ask(exchange, request, &answer))
		return;
	if (answer.type == FRAME_REFUSAL) {
		if (!refused(exchange, id, request->create, &answer))
			run_refuse(exchange, &answer);
		return;
	}
	if (outcome_read(&answer, &outcome)) {
		run_not_understood(exchange);
		return;
	}
	render(exchange, id, &outcome, error_of(&outcome, sentence));
}

/* A session that the client names; one that cannot be is one that there is not. */
static void execute_in(struct exchange *exchange, struct exec_request *request, struct text id)
{
	char inside[ID_LENGTH_MAX + 1];
	const struct outcome nothing = { 0 };

	/* The name inside is one that no other dialect's client can say. */
	if (!id_valid(id) || (size_t)snprintf(inside, sizeof inside, ID_STRICT_PREFIX "%.*s",
					      (int)id.length, id.data) >= sizeof inside) {
		render(exchange, id, &nothing, "session not found");
		return;
	}
	request->session_id = text_of(inside);
	execute(exchange, request, id);
}

void strict_execute(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_EXECUTE, "strict");
	AUTO_INPUT input = { 0 };
	char made[UUID_BYTES];
	struct text id;

	if (!input_open(exchange, false, &input))
		return;
	request.code = input_text(&input, "code", INPUT_REQUIRED | INPUT_NOT_EMPTY | INPUT_NO_NUL,
				  exchange->config->code_bytes);
	id = input_text(&input, "id", 0, exchange->config->body_bytes);
	if (input_refused(exchange, &input, 422))
		return;
	if (id.data) {
		execute_in(exchange, &request, id);
	} else if (id_make_uuid(made)) {
		answer_problem(exchange, 503, "no random numbers");
	} else {
		request.create = true;
		execute_in(exchange, &request, text_of(made));
	}
}
