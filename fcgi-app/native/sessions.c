/* sessions.c - the native API's calls for one session, and their list. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/tar.h"
#include "fcgi-app/files/workspace.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/native.h"
#include "fcgi-app/routes.h"

enum { TIMEOUT_LEAST_S = 1, TIMEOUT_MOST_S = 30, CASE_DEFAULT_MS = 5000 /* in judging */ };

/* ---- create ------------------------------------------------------------- */

/* The client's id, or a new one in `made`. */
static void read_id(struct input *input, struct exec_request *request, char made[UUID_BYTES])
{
	request->session_id = input_text(input, "id", 0, SIZE_MAX);
	if (request->session_id.data) {
		if (!id_valid(request->session_id))
			input_wrong(input, "id", ID_EXPECTED);
	} else if (!id_make_uuid(made)) {
		request->session_id = text_of(made);
	}
}

/* What the request brings goes in before anybody knows of the session; if it
 * cannot, there is none. False when the problem answer has been given. */
static bool put_files(struct exchange *exchange, struct text id, struct inline_files *files)
{
	if (!files->in_count)
		return true;
	struct workspace_change change = inline_files_change(files);
	if (workspace_put(exchange, id, NULL, &change))
		return true;
	if (change.failed)
		inline_files_refuse(exchange, files);
	workspace_abandon(exchange, id);
	return false;
}

void sessions_create(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_CREATE, "native");
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_INPUT input = { 0 };
	AUTO_INLINE files = { 0 };
	char made[UUID_BYTES], location[ID_LENGTH_MAX + 32];
	struct text profile;

	if (!input_open(exchange, true, &input))
		return;
	read_id(&input, &request, made);
	profile = input_text(&input, "profile", INPUT_NOT_EMPTY | INPUT_NO_NUL, 64);
	if (profile.data)
		request.profile = profile.data;
	request.environment = input_text(&input, "environment", INPUT_NOT_EMPTY | INPUT_NO_NUL, 64);
	limits_read(&input, LIMITS_OF_SESSION, &request);
	limits_read_idle(&input, &request);
	inline_files_read(&input, &files);
	input_refuse_unknown(&input);
	if (input_refused(exchange, &input, 422))
		return;
	if (!run_call(exchange, &request, FRAME_REPLY, &answer) ||
	    !put_files(exchange, request.session_id, &files))
		return;

	snprintf(location, sizeof location, "/api/v1/sessions/%.*s", (int)request.session_id.length,
		 request.session_id.data);
	answer_header(exchange, "Location", location);
	struct json_writer writer = answer_open(exchange, 201);
	view_session(&writer, &answer);
	answer_finish(exchange, &writer);
}

/* ---- look --------------------------------------------------------------- */

void sessions_list(struct exchange *exchange)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_LIST, NULL);
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	/* An id is the right to use its session: the list is a bunch of keys. */
	if (!exchange->caller.operator) {
		answer_problem(exchange, 403, "the list is for loopback, or with the API key");
		return;
	}
	if (!run_call(exchange, &request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	view_sessions(&writer, &answer);
	answer_finish(exchange, &writer);
}

void sessions_show(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_SHOW, &request) ||
	    !run_call(exchange, &request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	view_session(&writer, &answer);
	answer_finish(exchange, &writer);
}

void sessions_variables(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_VARIABLES, &request) ||
	    !run_call(exchange, &request, FRAME_OUTCOME, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "id", request.session_id);
	view_variables(&writer, &answer);
	answer_finish(exchange, &writer);
}

void sessions_history(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_HISTORY, &request) ||
	    !run_call(exchange, &request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "id", request.session_id);
	view_history(&writer, &answer);
	answer_finish(exchange, &writer);
}

/* ---- use ---------------------------------------------------------------- */

/* Judging: beside the session, in sandboxes of its own with copies of its files. */
void sessions_evaluate(struct exchange *exchange)
{
	AUTO_EVALUATE evaluate = EVALUATE_INIT;
	AUTO_INPUT input = { 0 };
	struct exec_request request;

	if (!session_request(exchange, FRAME_EVALUATE, &request) ||
	    !input_open(exchange, false, &input))
		return;
	evaluate_read(exchange->config, &input, "cases", &evaluate);
	uint64_t timeout_ms = input_seconds_ms(&input, "timeout", TIMEOUT_LEAST_S, TIMEOUT_MOST_S);
	if (!input.wrong && !evaluate.count)
		input_wrong(&input, "cases", "must be an array of at least one case");
	input_refuse_unknown(&input);
	if (input_refused(exchange, &input, 422))
		return;
	AUTO_FD files = workspace_open(exchange, request.session_id, NULL);
	if (files < 0)
		return;
	const struct evaluate_call call = { .session_id = request.session_id,
					    .workspace_fd = files,
					    .wall_ms = timeout_ms ? timeout_ms : CASE_DEFAULT_MS,
					    .cpu_ms = timeout_ms ? timeout_ms : CASE_DEFAULT_MS,
					    .limits_are_defaults = timeout_ms == 0,
					    .invalid_status = 422 };
	if (evaluate_ask(exchange, &call, &evaluate))
		evaluate_answer(exchange, &evaluate, true);
}

/* The calls that change a session and have little to tell but that it is done. */
static void do_and_say(struct exchange *exchange, const struct exec_request *request,
		       const char *done)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!run_call(exchange, request, FRAME_REPLY, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_text(&writer, "id", request->session_id);
	writer_bool(&writer, done, true);
	view_undo_levels(&writer, &answer);
	answer_finish(exchange, &writer);
}

/* These calls know no member. False when the answer has been given. */
static bool body_is_empty(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };

	if (!exchange->body.length)
		return true;
	if (!input_open(exchange, true, &input))
		return false;
	input_refuse_unknown(&input);
	return !input_refused(exchange, &input, 422);
}

void sessions_interrupt(struct exchange *exchange)
{
	struct exec_request request;

	if (session_request(exchange, FRAME_SESSION_INTERRUPT, &request) && body_is_empty(exchange))
		do_and_say(exchange, &request, "interrupted");
}

void sessions_undo(struct exchange *exchange)
{
	struct exec_request request;

	if (session_request(exchange, FRAME_SESSION_UNDO, &request) && body_is_empty(exchange))
		do_and_say(exchange, &request, "undone");
}

void sessions_reset(struct exchange *exchange)
{
	AUTO_INPUT input = { 0 };
	struct exec_request request;

	if (!session_request(exchange, FRAME_SESSION_RESET, &request) ||
	    !input_open(exchange, true, &input))
		return;
	request.clear_files = input_bool(&input, "files", false);
	input_refuse_unknown(&input);
	if (!input_refused(exchange, &input, 422))
		do_and_say(exchange, &request, "reset");
}

void sessions_delete(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct exec_request request;

	if (session_request(exchange, FRAME_SESSION_DELETE, &request) &&
	    run_call(exchange, &request, FRAME_REPLY, &answer))
		answer_nothing(exchange);
}

/* ---- a whole workspace as an archive ------------------------------------------------- */

/* Far above what a workspace holds: a bound on files that are nothing but holes. */
static const uint64_t archive_bytes_max = 1ull << 30;

static int send_archive(void *context, int (*put)(void *, const void *, size_t), void *put_context)
{
	return files_tar_send(context, put, put_context);
}

static void free_archive(void *context)
{
	files_tar_free(context);
}

void session_archive_get(struct exchange *exchange)
{
	struct files_tar *tar;
	uint64_t length;
	int root, failed;

	if (!session_id_valid(exchange))
		return;
	root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = files_tar_open(root, &workspace_whole, archive_bytes_max, &tar, &length);
	if (failed)
		workspace_refuse(exchange, failed);
	else
		answer_stream(exchange, 200, "application/x-tar",
			      &(struct body_stream){ .length = length,
						     .send = send_archive,
						     .free = free_archive,
						     .context = tar });
}

/* The archive could not be taken in. */
static void refuse_spool(struct exchange *exchange, int failed)
{
	char detail[160];

	if (upload_refused(exchange, failed))
		return;
	log_error("event=spool_failed id=%s error=\"%s\"", exchange->id, strerror(-failed));
	answer_header_number(exchange, "Retry-After", 1);
	snprintf(detail, sizeof detail,
		 "there is no room for another archive now: all that are being taken in may have "
		 "%llu bytes (spool_bytes)",
		 (unsigned long long)exchange->config->spool_bytes);
	if (failed == -EDQUOT)
		answer_problem(exchange, 507, detail);
	else if (failed == -ENOSPC)
		answer_problem(exchange, 507, "the volume of the saved files is full");
	else
		answer_problem(exchange, 503, "the archive could not be taken in");
}

static int extract(void *context, int root)
{
	const struct upload_spool *spool = context;
	char error[FILES_TAR_ERROR_BYTES];

	return files_tar_extract(root, spool->bytes, spool->length, WORKSPACE_NODES_MAX, error);
}

static void refuse_extraction(struct exchange *exchange, int failed)
{
	if (failed == -ENOTDIR || failed == -EISDIR)
		answer_problem(exchange, 409,
			       "a file of the archive is a folder in the workspace, or the other "
			       "way round");
	else
		workspace_refuse(exchange, failed);
}

static void put_archive(struct exchange *exchange, struct upload_spool *spool)
{
	char error[FILES_TAR_ERROR_BYTES], detail[FILES_TAR_ERROR_BYTES + 40];
	struct workspace_change change = { .put = extract, .context = spool };
	int failed = files_tar_check(spool->bytes, spool->length, WORKSPACE_NODES_MAX,
				     &change.bytes, error);

	if (failed && *error) {
		snprintf(detail, sizeof detail, "the archive is refused: %s", error);
		answer_problem(exchange, 422, detail);
	} else if (failed) {
		workspace_refuse(exchange, failed);
	} else if (workspace_put(exchange, exchange->parameters[0], NULL, &change)) {
		answer_nothing(exchange);
	} else if (change.failed) {
		refuse_extraction(exchange, change.failed);
	}
}

/* Files that are there and not in the archive stay. */
void session_archive_put(struct exchange *exchange)
{
	const char *encoding = exchange_variable(exchange, "HTTP_CONTENT_ENCODING");
	AUTO_SPOOL spool = { 0 };
	int failed;

	if (!session_id_valid(exchange))
		return;
	if (*encoding && strcmp(encoding, "identity") != 0) {
		answer_problem(exchange, 415, "a compressed archive is not taken");
		return;
	}
	/* whether there is the session, before the body is read */
	AUTO_FD root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = upload_spool(exchange, &spool);
	if (failed)
		refuse_spool(exchange, failed);
	else
		put_archive(exchange, &spool);
}
