/* playground.c - dialect A: one-shot runs for a browser playground. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/config.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/routes.h"

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

/* ---- programs saved on the user-files volume --------------------------------------- */

#define NAME_EXPECTED                                                                              \
	"must be a file name of 1 to 255 bytes without slashes, control characters or a dot in "   \
	"front"

/* What a failure of the files module is to a client. */
static void answer_file_error(struct exchange *exchange, int failed)
{
	if (failed == -ENOENT || failed == -ELOOP || failed == -EISDIR || failed == -EINVAL) {
		answer_problem(exchange, 404, "File not found");
		return;
	}
	log_error("event=file_failed id=%s error=\"%s\"", exchange->id, strerror(-failed));
	if (failed == -EFBIG)
		answer_problem(exchange, 413, "the file is too large");
	else if (failed == -ENOSPC || failed == -EDQUOT)
		answer_problem(exchange, 507, "the volume of the saved files is full");
	else
		answer_problem(exchange, 503, "the saved files are not available");
}

/* The volume, or -1 when the answer has been given. */
static int open_volume(struct exchange *exchange)
{
	int fd = open(exchange->config->user_files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		answer_file_error(exchange, errno == ENOENT ? -EIO : -errno);
	return fd;
}

/* The name as a path; false when the answer has been given. */
static bool name_path(struct exchange *exchange, struct text name, struct files_path *ret_path)
{
	if (files_name_valid(name) && !files_path_set(name, ret_path))
		return true;
	answer_field_problem(exchange, 400, "filename", NAME_EXPECTED);
	return false;
}

/* ---- list, load, delete ------------------------------------------------- */

/* 2024-01-15T10:30:00, local time */
static void write_modified(struct json_writer *writer, time_t seconds)
{
	char text[32] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
	writer_string(writer, "modified", text);
}

void playground_list(struct exchange *exchange)
{
	AUTO_FD volume = open_volume(exchange);
	struct files_entry *entries;
	size_t count;
	int failed;

	if (volume < 0)
		return;
	failed = files_list(volume, exchange->config->saved_files, &entries, &count);
	if (failed) {
		answer_file_error(exchange, failed);
		return;
	}

	struct json_writer writer = answer_open(exchange, 200);
	writer_open_array(&writer, "files");
	for (size_t i = 0; i < count; i++) {
		writer_open_object(&writer, NULL);
		writer_string(&writer, "filename", entries[i].name);
		writer_unsigned(&writer, "size", entries[i].size);
		write_modified(&writer, entries[i].modified.tv_sec);
		writer_close_object(&writer);
	}
	writer_close_array(&writer);
	writer_unsigned(&writer, "count", count);
	answer_finish(exchange, &writer);
	files_entries_free(entries, count);
}

void playground_load(struct exchange *exchange)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);
	struct files_path path;
	int failed;

	if (!name_path(exchange, exchange->parameters[0], &path))
		return;
	AUTO_FD volume = open_volume(exchange);
	if (volume < 0)
		return;
	failed = files_read(volume, &path, exchange->config->saved_file_bytes, &bytes);
	if (failed) {
		answer_file_error(exchange, failed);
		return;
	}

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "code", (struct text){ (const char *)bytes.data, bytes.length });
	writer_text(&writer, "filename", exchange->parameters[0]);
	answer_finish(exchange, &writer);
}

static void answer_done(struct exchange *exchange, const char *message, struct text filename)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_string(&writer, "message", message);
	writer_text(&writer, "filename", filename);
	answer_finish(exchange, &writer);
}

void playground_delete(struct exchange *exchange)
{
	struct files_path path;
	int failed;

	if (!name_path(exchange, exchange->parameters[0], &path))
		return;
	AUTO_FD volume = open_volume(exchange);
	if (volume < 0)
		return;
	failed = files_remove(volume, &path, (struct files_remove){ .durable = true });
	if (failed)
		answer_file_error(exchange, failed);
	else
		answer_done(exchange, "File deleted successfully", exchange->parameters[0]);
}

/* ---- save --------------------------------------------------------------- */

/* The two parameters, wherever they came from. */
struct parameters {
	struct text code, filename;
	char *code_storage, *filename_storage; /* of those that were decoded */
};

static void parameters_free(struct parameters *parameters)
{
	free(parameters->code_storage);
	free(parameters->filename_storage);
}

/* Take what is not known yet from a form or query. False when refused. */
static bool take_from_form(struct exchange *exchange, struct text form,
			   struct parameters *parameters)
{
	int code = 0, filename = 0;

	if (!parameters->code.data)
		code = form_find(form, "code", &parameters->code, &parameters->code_storage);
	if (!parameters->filename.data)
		filename = form_find(form, "filename", &parameters->filename,
				     &parameters->filename_storage);
	if (code >= 0 && filename >= 0)
		return true;
	answer_problem(exchange, 400, "a parameter is not encoded well");
	return false;
}

static bool body_is_form(const struct exchange *exchange)
{
	return http_media_type_is(exchange_variable(exchange, "CONTENT_TYPE"),
				  "application/x-www-form-urlencoded");
}

/* JSON or form body first, then the query. False when refused. */
static bool read_parameters(struct exchange *exchange, struct input *input,
			    struct parameters *parameters)
{
	const struct buffer *body = &exchange->body;
	size_t most = exchange->config->body_bytes; /* the size is checked later, for all alike */

	if (body->length && body_is_form(exchange)) {
		struct text form = { (const char *)body->data, body->length };

		if (!take_from_form(exchange, form, parameters))
			return false;
	} else if (body->length) {
		if (!input_open(exchange, false, input))
			return false;
		parameters->code = input_text(input, "code", 0, most);
		parameters->filename = input_text(input, "filename", 0, most);
		if (input_refused(exchange, input, 422))
			return false;
	}
	return take_from_form(exchange, text_of(exchange->target.query), parameters);
}

static bool check_parameters(struct exchange *exchange, const struct parameters *parameters)
{
	size_t most = exchange->config->saved_file_bytes;
	char message[80];

	if (!parameters->code.data) {
		answer_field_problem(exchange, 422, "code", "is missing: a text was expected");
	} else if (!parameters->filename.data) {
		answer_field_problem(exchange, 422, "filename", "is missing: a name was expected");
	} else if (parameters->code.length > most) {
		snprintf(message, sizeof message, "must be at most %zu bytes long", most);
		answer_field_problem(exchange, 413, "code", message);
	} else if (!utf8_valid(parameters->code.data, parameters->code.length)) {
		answer_field_problem(exchange, 422, "code", "must be UTF-8");
	} else {
		return true;
	}
	return false;
}

/* Is there room for one more name? Two that come at once may both see the last
 * place: the limit is one of order, not of safety. */
static int check_count(const struct exchange *exchange, int volume, const struct files_path *path)
{
	struct files_entry *entries;
	size_t count, most = exchange->config->saved_files;
	int found = files_exists(volume, path);

	if (found < 0 || found == 1)
		return 0; /* replaced, or refused when it is written */
	found = files_list(volume, most, &entries, &count);
	if (found)
		return found;
	files_entries_free(entries, count);
	return count < most ? 0 : -EDQUOT;
}

static void save(struct exchange *exchange, const struct parameters *parameters)
{
	struct files_path path;
	int failed;

	if (!check_parameters(exchange, parameters) ||
	    !name_path(exchange, parameters->filename, &path))
		return;
	AUTO_FD volume = open_volume(exchange);
	if (volume < 0)
		return;
	failed = check_count(exchange, volume, &path);
	if (!failed)
		failed = files_write(volume, &path, parameters->code.data, parameters->code.length,
				     (struct files_write){ .durable = true });
	if (failed == -EISDIR)
		answer_field_problem(exchange, 400, "filename", "is the name of a directory");
	else if (failed)
		answer_file_error(exchange, failed);
	else
		answer_done(exchange, "File saved successfully", parameters->filename);
}

void playground_save(struct exchange *exchange)
{
	__attribute__((cleanup(parameters_free))) struct parameters parameters = { 0 };
	AUTO_INPUT input = { 0 };

	if (read_parameters(exchange, &input, &parameters))
		save(exchange, &parameters);
}
