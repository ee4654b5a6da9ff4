#include "fcgi-app/files/inline_files.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/http/base64.h"
#include "common/fields.h"
#include "fcgi-app/files/workspace.h"

#define PATH_EXPECTED "must be a relative path that stays inside the workspace"

static struct text text_from(struct json_object *value)
{
	return (struct text){ json_object_get_string(value),
			      (size_t)json_object_get_string_len(value) };
}

static void wrong_file(struct input *input, struct text path, const char *message)
{
	char field[64];

	/* a name that is cut must not end inside a character */
	struct text shown = { path.data, path.length > 50 ? 50 : path.length };
	shown = text_without_half_character(shown);
	snprintf(field, sizeof field, "files.%.*s", (int)shown.length, shown.data);
	input_wrong(input, field, message);
}

/* ---- in ------------------------------------------------------------------ */

/* A text, or {"base64": text}. */
static void read_content(struct input *input, struct json_object *value, struct inline_file *file)
{
	struct json_object *encoded = NULL;

	if (json_object_is_type(value, json_type_string)) {
		file->content = text_from(value);
		return;
	}
	if (!json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "base64", &encoded) ||
	    json_object_object_length(value) != 1 ||
	    !json_object_is_type(encoded, json_type_string))
		wrong_file(input, file->path, "must be a string or {\"base64\": string}");
	else if (base64_decode(text_from(encoded), &file->decoded))
		wrong_file(input, file->path, "is not base64");
	else
		file->content =
			(struct text){ (const char *)file->decoded.data, file->decoded.length };
}

static void read_in(struct input *input, struct inline_files *files)
{
	struct json_object *object = input_object(input, "files");
	struct files_path path;

	if (!object)
		return;
	if (json_object_object_length(object) > INLINE_MAX) {
		input_wrong(input, "files", "has too many members");
		return;
	}
	files->in = calloc((size_t)json_object_object_length(object) + 1, sizeof *files->in);
	if (!files->in) {
		input_wrong(input, "files", "is too much for the memory that is left");
		return;
	}
	json_object_object_foreach(object, name, value)
	{
		struct inline_file *file = &files->in[files->in_count++];

		file->path = text_of(name);
		if (files_path_set(file->path, &path))
			wrong_file(input, file->path, PATH_EXPECTED);
		else
			read_content(input, value, file);
	}
}

int inline_files_put(struct inline_files *files, int workspace_fd)
{
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
	struct json_object *array = input_array(input, "return_files");
	size_t count = array ? json_object_array_length(array) : 0;
	struct files_path path;

	if (count > INLINE_MAX) {
		input_wrong(input, "return_files", "has too many items");
		return;
	}
	files->out = count ? calloc(count, sizeof *files->out) : NULL;
	for (size_t i = 0; files->out && i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		struct text text = { 0 };

		if (json_object_is_type(item, json_type_string))
			text = text_from(item);
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

static int put(void *context, int workspace_fd)
{
	return inline_files_put(context, workspace_fd);
}

const struct exec_files *inline_files_hook(struct inline_files *files)
{
	files->hook = (struct exec_files){ put, files };
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
