/* native.c - one-shot runs of the native API, which are dialect E's too: one
 * answer holds the members of both. */
#include "fcgi-app/http/answer.h"
#include "fcgi-app/files/inline_files.h"
#include "fcgi-app/handlers.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/limit_fields.h"
#include "fcgi-app/native/result.h"
#include "fcgi-app/execution/exec_run.h"

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
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	AUTO_INLINE files = { 0 };
	struct outcome outcome;
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
	limits_read_timeout(&input, &request);
	limits_read_memory(&input, &request);
	check_language(&input);
	inline_files_read(&input, &files);
	if (input_refused(exchange, &input, 422))
		return;
	request.files = inline_files_hook(&files);
	if (!run_outcome(exchange, &request, &answer, &outcome)) {
		if (files.failed)
			inline_files_refuse(exchange, &files);
		return;
	}

	struct json_writer writer = answer_open(exchange, 200);
	result_write(&writer, &outcome, (struct text){ 0 });
	writer_open_object(&writer, "files");
	inline_files_write(&writer, &files, answer.fd, config->body_bytes);
	writer_close_object(&writer);
	answer_finish(exchange, &writer);
}
