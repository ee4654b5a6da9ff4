#include "fcgi-app/files/workspace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/json.h"

const struct files_tree_limits workspace_whole = { .recursive = true,
						   .most_nodes = WORKSPACE_NODES_MAX,
						   .most_path_bytes = WORKSPACE_PATH_BYTES_MAX };

/* What each failure is in HTTP. What is not here is our own: 503. */
static const struct {
	int failed, status;
	const char *reason;
} failures[] = {
	{ -ENOENT, 404, "there is no such file" },
	{ -ENOTDIR, 404, "there is no such file: a part of the path is not a folder" },
	{ -ELOOP, 409, "a part of the path is a symbolic link, and none is followed" },
	{ -EISDIR, 409, "this is a folder" },
	{ -EINVAL, 409, "this is not a regular file" },
	{ -ENXIO, 409, "this is not a regular file" },
	{ -EACCES, 403, "the workspace's own permissions do not allow it" },
	{ -EPERM, 403, "the workspace's own permissions do not allow it" },
	{ -EROFS, 403, "this session's workspace is read-only" },
	{ -EEXIST, 409, "there is something of this name already" },
	{ -ENOTEMPTY, 409, "the folder is not empty" },
	{ -EBUSY, 409, "the session's program is using it; try again" },
	{ -EXDEV, 409, "the session's program is using it; try again" },
	{ -ESTALE, 412, "the file is not the one that the request's condition names" },
	{ -EFBIG, 413, "the file is too large" },
	{ -E2BIG, 413, "there is too much in the workspace" },
	{ -ENOSPC, 413, "the workspace is full" },
	{ -EDQUOT, 413, "the workspace is full" },
	{ -ENAMETOOLONG, 400, "the path is too long" },
};

int workspace_status(int failed)
{
	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if (failures[i].failed == failed)
			return failures[i].status;
	return 503;
}

const char *workspace_reason(int failed)
{
	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if (failures[i].failed == failed)
			return failures[i].reason;
	return "the workspace is not available";
}

void workspace_refuse(struct exchange *exchange, int failed)
{
	int status = workspace_status(failed);

	if (status == 503) {
		log_error("event=workspace_failed id=%s error=\"%s\"", exchange->id,
			  strerror(-failed));
		answer_header_number(exchange, "Retry-After", 1);
	}
	answer_problem(exchange, status, workspace_reason(failed));
}

int workspace_ask(struct exchange *exchange, struct text session_id, const char *profile,
		  struct executor_answer *ret_answer, int *ret_fd)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_WORKSPACE, profile);

	request.session_id = session_id;
	request.create = profile != NULL;
	if (!run_ask(exchange, &request, ret_answer)) {
		ret_answer->type = 0;
		return -1;
	}
	if (ret_answer->type == FRAME_REFUSAL)
		return -1;
	if (ret_answer->type != FRAME_REPLY || ret_answer->fd < 0) {
		run_not_understood(exchange);
		ret_answer->type = 0;
		return -1;
	}
	*ret_fd = take_fd(&ret_answer->fd);
	return 0;
}

int workspace_open(struct exchange *exchange, struct text session_id, const char *profile)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	int fd = -1;

	if (workspace_ask(exchange, session_id, profile, &answer, &fd) &&
	    answer.type == FRAME_REFUSAL)
		run_refuse(exchange, &answer);
	return fd;
}

static int put_change(void *context, int workspace_fd)
{
	struct workspace_change *change = context;

	change->failed = change->put(change->context, workspace_fd);
	return change->failed;
}

bool workspace_put(struct exchange *exchange, struct text session_id, const char *profile,
		   struct workspace_change *change)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_WORKSPACE, profile);
	const struct exec_files files = { put_change, change, change->bytes };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	request.session_id = session_id;
	request.create = profile != NULL;
	request.files = &files;
	change->failed = 0;
	return run_call(exchange, &request, FRAME_REPLY, &answer);
}

int workspace_copy_open(int from_fd, struct workspace_copy *ret_copy)
{
	*ret_copy = (struct workspace_copy){ from_fd, workspace_whole };
	return files_used(from_fd, &ret_copy->limits.most_bytes);
}

int workspace_copy_put(void *context, int workspace_fd)
{
	const struct workspace_copy *copy = context;

	return files_tree_copy(copy->from, workspace_fd, &copy->limits);
}

static int put_rename(void *context, int workspace_fd)
{
	const struct workspace_rename *rename = context;

	return files_rename(
		workspace_fd, &rename->from, &rename->to,
		(struct files_rename){ .make_directories = true, .replace = rename->replace });
}

bool workspace_rename(struct exchange *exchange, struct text session_id,
		      struct workspace_rename *rename)
{
	struct workspace_change change = { .bytes = files_room(0, &rename->to),
					   .put = put_rename,
					   .context = rename };
	bool done = workspace_put(exchange, session_id, NULL, &change);

	rename->failed = change.failed;
	return done;
}

void workspace_abandon(struct exchange *exchange, struct text session_id)
{
	struct exec_request request = run_request(exchange, FRAME_SESSION_DELETE, NULL);
	struct executor_wait wait = { -1, exchange->config->answer_ms };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	int failed;

	request.session_id = session_id;
	failed = executor_client_call(exchange->executor, &request, &wait, &answer);
	if (failed)
		log_error("event=session_left id=%s error=\"%s\"", exchange->id, strerror(-failed));
}

#define PATH_EXPECTED "must be a relative path that stays inside the workspace"

static void wrong_file(struct input *input, struct text path, const char *message)
{
	char field[64];

	snprintf(field, sizeof field, "files.%.*s", (int)utf8_cut(path.data, path.length, 50),
		 path.data);
	input_wrong(input, field, message);
}

/* ---- in ------------------------------------------------------------------ */

/* The text of {"base64": text}; absent if it is anything else. */
static struct text encoded_text(struct input *input, struct text value)
{
	struct text key, encoded, more;
	struct json_walk walk;

	if (*value.data != '{' || !json_walk_open(value, &walk) ||
	    !json_walk_next(&walk, &key, &encoded) || !json_key_is(key, "base64") ||
	    json_walk_next(&walk, &key, &more))
		return (struct text){ 0 };
	return input_string(input, encoded);
}

/* A text, or {"base64": text}. */
static void read_content(struct input *input, struct text value, struct inline_file *file)
{
	struct text encoded;

	file->content = input_string(input, value);
	if (file->content.data)
		return;
	encoded = encoded_text(input, value);
	if (!encoded.data)
		wrong_file(input, file->path, "must be a string or {\"base64\": string}");
	else if (base64_decode(encoded, &file->decoded))
		wrong_file(input, file->path, "is not base64");
	else
		file->content =
			(struct text){ (const char *)file->decoded.data, file->decoded.length };
}

static size_t count_members(struct text container)
{
	struct json_walk walk;
	struct text key, value;
	size_t count = 0;

	if (container.data && json_walk_open(container, &walk))
		while (count <= INLINE_MAX && json_walk_next(&walk, &key, &value))
			count++;
	return count;
}

static void read_in(struct input *input, struct inline_files *files)
{
	struct text object = input_object(input, "files"), key, value;
	size_t count = count_members(object);
	struct json_walk walk;
	struct files_path path;

	if (count > INLINE_MAX) {
		input_wrong(input, "files", "has too many members");
		return;
	}
	files->in = calloc(count + 1, sizeof *files->in);
	if (!files->in) {
		input_wrong(input, "files", "is too much for the memory that is left");
		return;
	}
	if (!count || !json_walk_open(object, &walk))
		return;
	while (files->in_count < count && json_walk_next(&walk, &key, &value)) {
		struct inline_file *file = &files->in[files->in_count++];

		file->path = input_key(input, key);
		if (!file->path.data || files_path_set(file->path, &path))
			wrong_file(input, file->path, PATH_EXPECTED);
		else
			read_content(input, value, file);
	}
}

static int put_inline(void *context, int workspace_fd)
{
	struct inline_files *files = context;

	for (size_t i = 0; i < files->in_count; i++) {
		const struct inline_file *file = &files->in[i];
		struct files_path path;
		int failed = files_path_set(file->path, &path);

		if (!failed)
			failed = files_write(workspace_fd, &path, file->content.data,
					     file->content.length,
					     (struct files_write){ .make_directories = true });
		if (failed) {
			files->failed_file = file;
			files->failed = failed;
			return failed;
		}
	}
	return 0;
}

void inline_files_refuse(struct exchange *exchange, const struct inline_files *files)
{
	int status = workspace_status(files->failed);
	char field[64];

	if (status == 503 || !files->failed_file) {
		workspace_refuse(exchange, files->failed);
		return;
	}
	snprintf(field, sizeof field, "files.%.50s", files->failed_file->path.data);
	answer_field_problem(exchange, status == 413 ? 413 : 422, field,
			     workspace_reason(files->failed));
}

/* ---- out ----------------------------------------------------------------- */

static void read_out(struct input *input, struct inline_files *files)
{
	struct text array = input_array(input, "return_files"), key, item;
	size_t count = count_members(array);
	struct json_walk walk;
	struct files_path path;

	if (count > INLINE_MAX) {
		input_wrong(input, "return_files", "has too many items");
		return;
	}
	files->out = count ? calloc(count, sizeof *files->out) : NULL;
	if (!files->out || !json_walk_open(array, &walk))
		return;
	while (files->out_count < count && json_walk_next(&walk, &key, &item)) {
		struct text text = input_string(input, item);

		if (!text.data || files_path_set(text, &path)) {
			input_wrong(input, "return_files", "each " PATH_EXPECTED ", as a string");
			return;
		}
		files->out[files->out_count++] = text;
	}
}

static void write_content(struct json_writer *writer, const struct buffer *bytes)
{
	struct text content = { bytes->data ? (const char *)bytes->data : "", bytes->length };

	if (utf8_valid(content.data, content.length)) {
		writer_text(writer, NULL, content);
		return;
	}
	writer_open_object(writer, NULL);
	writer_base64(writer, "base64", content);
	writer_close_object(writer);
}

void inline_files_write(struct json_writer *writer, const struct inline_files *files,
			int workspace_fd, size_t most_bytes)
{
	for (size_t i = 0; i < files->out_count; i++) {
		AUTO_BUFFER bytes = BUFFER_INIT(0);
		struct files_path path;
		int failed = files_path_set(files->out[i], &path);

		if (!failed)
			failed = files_read(workspace_fd, &path, most_bytes, &bytes);
		writer_text_key(writer, files->out[i]);
		if (!failed) {
			most_bytes -= bytes.length;
			write_content(writer, &bytes);
		} else if (failed == -ENOENT || failed == -ENOTDIR) {
			writer_null(writer, NULL);
		} else {
			writer_open_object(writer, NULL);
			writer_string(writer, "error", workspace_reason(failed));
			writer_close_object(writer);
		}
	}
}

/* ---- both ---------------------------------------------------------------- */

static uint64_t room_of(const struct inline_files *files)
{
	struct files_path path;
	uint64_t bytes = 0;

	for (size_t i = 0; i < files->in_count; i++)
		if (!files_path_set(files->in[i].path, &path))
			bytes += files_room(files->in[i].content.length, &path);
	return bytes;
}

struct workspace_change inline_files_change(struct inline_files *files)
{
	return (struct workspace_change){ .bytes = room_of(files),
					  .put = put_inline,
					  .context = files };
}

const struct exec_files *inline_files_hook(struct inline_files *files)
{
	files->hook = (struct exec_files){ put_inline, files, room_of(files) };
	return files->in_count || files->out_count ? &files->hook : NULL;
}

void inline_files_read(struct input *input, struct inline_files *ret_files)
{
	read_in(input, ret_files);
	read_out(input, ret_files);
}

void inline_files_free(struct inline_files *files)
{
	for (size_t i = 0; i < files->in_count; i++)
		buffer_reset(&files->in[i].decoded);
	free(files->in);
	free(files->out);
}
