/* workspaces.c - dialect C: files and commands of a session that the client names,
 * and judging. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/files/workspace.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/native.h"
#include "fcgi-app/routes.h"

#define PATH_EXPECTED "must be a relative path in UTF-8 that stays inside the workspace"

enum {
	/* of each case: what this dialect promises, below the profile's own limits */
	CASE_WALL_MS = 5000,
	CASE_CPU_MS = 4000,
};

/* ---- what a request names: everything wrong is 400 here ------------------- */

static struct text take_id(struct input *input)
{
	struct text id = input_text(input, "id", INPUT_REQUIRED, SIZE_MAX);

	if (id.data && !id_valid(id))
		input_wrong(input, "id", ID_EXPECTED);
	return id;
}

/* Returns the path as the client wrote it, for the answer. */
static struct text take_path(struct input *input, const char *field, struct files_path *ret_path)
{
	struct text text = input_text(input, field, INPUT_REQUIRED, SIZE_MAX);

	if (text.data && files_path_set(text, ret_path))
		input_wrong(input, field, PATH_EXPECTED);
	return text;
}

/* To a reader everything that is not a file is no such file. */
static void refuse_reading(struct exchange *exchange, int failed)
{
	if (failed == -ELOOP || failed == -EINVAL || failed == -EISDIR || failed == -ENOTDIR)
		failed = -ENOENT;
	workspace_refuse(exchange, failed);
}

static void refuse_change(struct exchange *exchange, int failed)
{
	if (failed == -ENOTDIR)
		answer_problem(exchange, 409, "a part of the path is not a folder");
	else if (failed == -EINVAL)
		answer_problem(exchange, 400, "a folder cannot be put into itself");
	else
		workspace_refuse(exchange, failed);
}

static struct json_writer answer_success(struct exchange *exchange, struct text id)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_bool(&writer, "success", true);
	writer_text(&writer, "id", id);
	return writer;
}

/* ---- files ---------------------------------------------------------------- */

struct writing {
	struct files_path path;
	struct text content;
};

static int put_content(void *context, int root)
{
	const struct writing *file = context;

	return files_write(root, &file->path, file->content.data, file->content.length,
			   (struct files_write){ .make_directories = true });
}

void workspaces_write(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct writing file;
	struct workspace_change change = { .put = put_content, .context = &file };

	if (!input_open(exchange, false, &input))
		return;
	struct text id = take_id(&input);
	struct text rel_path = take_path(&input, "rel_path", &file.path);
	file.content = input_text(&input, "content", INPUT_REQUIRED, SIZE_MAX);
	if (input_refused(exchange, &input, 400))
		return;
	change.bytes = files_room(file.content.length, &file.path);
	if (!workspace_put(exchange, id, "workspace", &change)) {
		if (change.failed)
			refuse_change(exchange, change.failed);
		return;
	}
	struct json_writer writer = answer_success(exchange, id);
	writer_text(&writer, "rel_path", rel_path);
	answer_finish(exchange, &writer);
}

static void read_file(struct exchange *exchange, struct text id, struct text rel_path,
		      const struct files_path *path)
{
	AUTO_BUFFER bytes = BUFFER_INIT(0);
	AUTO_FD root = workspace_open(exchange, id, NULL);
	int failed;

	if (root < 0)
		return;
	failed = files_read(root, path, exchange->config->body_bytes, &bytes);
	if (failed) {
		refuse_reading(exchange, failed);
		return;
	}
	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "content",
		    (struct text){ bytes.data ? (const char *)bytes.data : "", bytes.length });
	writer_text(&writer, "id", id);
	writer_text(&writer, "rel_path", rel_path);
	answer_finish(exchange, &writer);
}

void workspaces_read(struct exchange *exchange)
{
	struct text query = text_of(exchange->target.query);
	AUTO_FREE char *id_storage = NULL;
	AUTO_FREE char *path_storage = NULL;
	struct text id = { 0 }, rel_path = { 0 };
	struct files_path path;

	if (form_find(query, "id", &id, &id_storage) < 0 ||
	    form_find(query, "rel_path", &rel_path, &path_storage) < 0)
		answer_problem(exchange, 400, "a parameter is not encoded well");
	else if (!id_valid(id))
		answer_field_problem(exchange, 400, "id", ID_EXPECTED);
	else if (files_path_set(rel_path, &path))
		answer_field_problem(exchange, 400, "rel_path", PATH_EXPECTED);
	else
		read_file(exchange, id, rel_path, &path);
}

void workspaces_delete(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct files_path path;
	int failed;

	if (!input_open(exchange, false, &input))
		return;
	struct text id = take_id(&input);
	struct text rel_path = take_path(&input, "rel_path", &path);
	if (input_refused(exchange, &input, 400))
		return;
	AUTO_FD root = workspace_open(exchange, id, NULL);
	if (root < 0)
		return;
	failed = files_remove(root, &path, (struct files_remove){ 0 });
	if (failed) {
		refuse_reading(exchange, failed);
		return;
	}
	struct json_writer writer = answer_success(exchange, id);
	writer_text(&writer, "rel_path", rel_path);
	answer_finish(exchange, &writer);
}

void workspaces_rename(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct workspace_rename rename = { .replace = true };

	if (!input_open(exchange, false, &input))
		return;
	struct text id = take_id(&input);
	struct text old_path = take_path(&input, "old_path", &rename.from);
	struct text new_path = take_path(&input, "new_path", &rename.to);
	if (input_refused(exchange, &input, 400))
		return;
	if (!workspace_rename(exchange, id, &rename)) {
		if (rename.failed)
			refuse_change(exchange, rename.failed);
		return;
	}
	struct json_writer writer = answer_success(exchange, id);
	writer_text(&writer, "old_path", old_path);
	writer_text(&writer, "new_path", new_path);
	answer_finish(exchange, &writer);
}

/* ---- commands ------------------------------------------------------------- */

/* What the command wrote, and on a line of its own the limit that ended it, or one
 * that a process of it met while the shell went on. */
static void write_stderr(struct json_writer *writer, const struct outcome *outcome)
{
	char sentence[OUTCOME_SENTENCE_BYTES];
	AUTO_BUFFER text = BUFFER_INIT(0);
	struct text err = outcome->err;
	struct text why = text_of(outcome_sentence(outcome, sentence));
	int failed = buffer_append(&text, err.data, err.length);

	if (!why.length)
		why = outcome->note;
	if (why.length) {
		if (!failed && err.length && err.data[err.length - 1] != '\n')
			failed = buffer_append(&text, "\n", 1);
		failed = failed ? failed : buffer_append(&text, why.data, why.length);
		failed = failed ? failed : buffer_append(&text, "\n", 1);
	}
	if (failed)
		writer->error = failed;
	writer_text(writer, "stderr",
		    (struct text){ text.data ? (const char *)text.data : "", text.length });
}

/* False when the answer has been given: a session that there is not is 400 here. */
static bool session_accepted(struct exchange *exchange, const struct executor_answer *answer)
{
	if (answer->type != FRAME_REFUSAL)
		return true;
	if (run_refusal(answer) == REFUSAL_NO_SESSION)
		answer_problem(exchange, 400, "Session does not exist");
	else
		run_refuse(exchange, answer);
	return false;
}

static void show_run(struct exchange *exchange, struct text id, const struct outcome *outcome)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_text(&writer, "stdout", outcome->out);
	write_stderr(&writer, outcome);
	writer_text(&writer, "id", id);
	writer_number(&writer, "return_code", outcome->return_code);
	answer_finish(exchange, &writer);
}

/* A shell that is given nothing prints nothing, and ends well. */
static void run_nothing(struct exchange *exchange, struct text id)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_SHOW, NULL);
	const struct outcome nothing = { .out = TEXT(""), .err = TEXT("") };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	request.session_id = id;
	if (run_ask(exchange, &request, &answer) && session_accepted(exchange, &answer))
		show_run(exchange, id, &nothing);
}

/* Its limits are the session's: 30 s of wall time where this dialect made it. */
void workspaces_run(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_RUN, NULL);
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	struct outcome outcome;

	if (!input_open(exchange, false, &input))
		return;
	request.session_id = take_id(&input);
	request.code = input_text(&input, "cmd", INPUT_REQUIRED | INPUT_NO_NUL, COMMAND_BYTES_MAX);
	if (input_refused(exchange, &input, 400))
		return;
	if (!request.code.length) {
		run_nothing(exchange, request.session_id);
		return;
	}
	if (!run_ask(exchange, &request, &answer) || !session_accepted(exchange, &answer))
		return;
	if (outcome_read(&answer, &outcome))
		run_not_understood(exchange);
	else
		show_run(exchange, request.session_id, &outcome);
}

/* ---- judging -------------------------------------------------------------- */

/* The files of the session, if the request names one and it exists: code that
 * needs none is judged without. False when the problem answer has been given. */
static bool open_if_there(struct exchange *exchange, struct text id, int *ret_fd)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!id.data || !workspace_ask(exchange, id, NULL, &answer, ret_fd))
		return true;
	if (answer.type != FRAME_REFUSAL)
		return false;
	if (run_refusal(&answer) == REFUSAL_NO_SESSION)
		return true;
	run_refuse(exchange, &answer);
	return false;
}

/* An id may be absent or empty here. */
static struct text take_optional_id(struct input *input)
{
	struct text id = input_text(input, "id", 0, SIZE_MAX);

	if (id.length && !id_valid(id))
		input_wrong(input, "id", ID_EXPECTED);
	return id.length ? id : (struct text){ 0 };
}

void workspaces_evaluate(struct exchange *exchange)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	AUTO_INPUT input = { 0 };
	AUTO_FD files = -1;

	if (!input_open(exchange, false, &input))
		return;
	struct text id = take_optional_id(&input);
	evaluate.wrong_case = WRONG_CASE_FAILS_ALONE;
	evaluate_read(exchange->config, &input, "io_cases", &evaluate);
	if (input_refused(exchange, &input, 400) || !open_if_there(exchange, id, &files))
		return;
	/* Without the id: a session that ends meanwhile is no reason to refuse. */
	const struct evaluate_call call = { .profile = "workspace",
					    .workspace_fd = files,
					    .wall_ms = CASE_WALL_MS,
					    .cpu_ms = CASE_CPU_MS,
					    .limits_are_defaults = true,
					    .invalid_status = 400 };
	if (evaluate_ask(exchange, &call, &evaluate))
		evaluate_answer(exchange, &evaluate, false);
}

/* ---- fork ----------------------------------------------------------------- */

/* The copy is made before anybody knows the new session's id. */
static void fork_into(struct exchange *exchange, int from, struct text new_id)
{
	struct workspace_copy copy;
	int failed = workspace_copy_open(from, &copy);
	struct workspace_change change = { .bytes = copy.limits.most_bytes,
					   .put = workspace_copy_put,
					   .context = &copy };

	if (failed) {
		workspace_refuse(exchange, failed);
		return;
	}
	if (!workspace_put(exchange, new_id, "workspace", &change)) {
		workspace_abandon(exchange, new_id);
		if (change.failed)
			workspace_refuse(exchange, change.failed);
		return;
	}
	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "new_id", new_id);
	answer_finish(exchange, &writer);
}

void workspaces_fork(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	char made[UUID_BYTES];

	if (!input_open(exchange, false, &input))
		return;
	struct text id = take_id(&input);
	if (input_refused(exchange, &input, 400))
		return;
	AUTO_FD from = workspace_open(exchange, id, NULL);
	if (from < 0)
		return;
	if (id_make_uuid(made))
		answer_problem(exchange, 503, "no random numbers");
	else
		fork_into(exchange, from, text_of(made));
}
