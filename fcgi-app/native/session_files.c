/* session_files.c - the native API's calls for the files of a session. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/owned.h"
#include "fcgi-app/files/workspace.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/native/native.h"
#include "fcgi-app/routes.h"

#define PATH_EXPECTED "must be a relative path in UTF-8 that stays inside the workspace"

enum { SEND_BYTES = 16 << 10 };

/* ---- what a request names ------------------------------------------------ */

/* Checked before the executor is asked. False when the answer has been given. */
static bool take_path(struct exchange *exchange, const char *field, struct text text,
		      struct files_path *ret_path)
{
	int failed = files_path_set(text, ret_path);

	if (failed)
		answer_field_problem(exchange, 422, field,
				     failed == -ENAMETOOLONG ? "is too long" : PATH_EXPECTED);
	return !failed;
}

/* "true" or "1" in the query. */
static bool query_flag(const struct exchange *exchange, const char *name)
{
	AUTO_FREE char *storage = NULL;
	struct text value = { 0 };

	return form_find(text_of(exchange->target.query), name, &value, &storage) == 1 &&
	       (text_equals(value, "true") || text_equals(value, "1"));
}

/* ---- list ---------------------------------------------------------------- */

static const char *type_of(uint32_t mode)
{
	return S_ISREG(mode)   ? "file"
	       : S_ISDIR(mode) ? "directory"
	       : S_ISLNK(mode) ? "symlink"
			       : "other";
}

static void write_tree(struct exchange *exchange, struct text path, const struct files_tree *tree)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_text(&writer, "path", path);
	writer_open_array(&writer, "files");
	for (size_t i = 0; i < tree->count; i++) {
		const struct files_node *node = &tree->nodes[i];

		writer_open_object(&writer, NULL);
		writer_string(&writer, "path", node->path);
		writer_string(&writer, "type", type_of(node->mode));
		writer_unsigned(&writer, "size", node->size);
		view_time(&writer, "modified",
			  (uint64_t)node->modified.tv_sec * 1000 +
				  (uint64_t)node->modified.tv_nsec / 1000000);
		writer_close_object(&writer);
	}
	writer_close_array(&writer);
	writer_unsigned(&writer, "count", tree->count);
	writer_bool(&writer, "truncated", tree->cut);
	answer_finish(exchange, &writer);
}

static void list(struct exchange *exchange, struct text path)
{
	bool everything = path.length == 0 || text_equals(path, ".") || text_equals(path, "/");
	struct files_tree_limits limits = { .recursive = query_flag(exchange, "recursive"),
					    .most_nodes = WORKSPACE_LIST_MAX,
					    .most_path_bytes = WORKSPACE_PATH_BYTES_MAX };
	struct files_tree tree = { 0 };
	struct files_path below;
	int failed;

	while (path.length > 1 && path.data[path.length - 1] == '/')
		path.length--;
	if (!everything && !take_path(exchange, "path", path, &below))
		return;
	AUTO_FD root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = files_tree_read(root, everything ? NULL : &below, &limits, &tree);
	if (failed == -ENOTDIR)
		answer_problem(exchange, 409, "this is not a folder");
	else if (failed)
		workspace_refuse(exchange, failed);
	else
		write_tree(exchange, everything ? TEXT("") : text_of(below.text), &tree);
	files_tree_free(&tree);
}

void session_files_list(struct exchange *exchange)
{
	AUTO_FREE char *storage = NULL;
	struct text path = TEXT("");

	if (!session_id_valid(exchange))
		return;
	if (form_find(text_of(exchange->target.query), "path", &path, &storage) < 0)
		answer_field_problem(exchange, 422, "path", "is not encoded well");
	else
		list(exchange, path);
}

/* ---- get ----------------------------------------------------------------- */

/* A part of an open file, on its way. */
struct sending {
	int fd;
	uint64_t at, left;
};

static int send_file(void *context, int (*put)(void *, const void *, size_t), void *put_context)
{
	struct sending *sending = context;
	char bytes[SEND_BYTES];
	int failed = 0;

	while (!failed && sending->left) {
		size_t most = sending->left < sizeof bytes ? (size_t)sending->left : sizeof bytes;
		ssize_t got = pread(sending->fd, bytes, most, (off_t)sending->at);

		if (got <= 0)
			return got < 0 ? -errno : -EPIPE; /* it has become shorter */
		sending->at += (uint64_t)got;
		sending->left -= (uint64_t)got;
		failed = put(put_context, bytes, (size_t)got);
	}
	return failed;
}

static void free_sending(void *context)
{
	struct sending *sending = context;

	close(sending->fd);
	free(sending);
}

/* What the program wrote is shown, and must do nothing as a page of this site. */
static void add_file_headers(struct exchange *exchange, const struct stat *found)
{
	char etag[ETAG_BYTES], modified[64];
	struct tm utc;

	answer_header(exchange, "ETag", etag_of(found, etag));
	answer_header(exchange, "Accept-Ranges", "bytes");
	answer_header(exchange, "Content-Security-Policy", "sandbox; default-src 'none'");
	if (gmtime_r(&found->st_mtim.tv_sec, &utc) &&
	    strftime(modified, sizeof modified, "%a, %d %b %Y %H:%M:%S GMT", &utc))
		answer_header(exchange, "Last-Modified", modified);
}

/* The range that is asked for, unless If-Range names another file. */
static enum range wanted_range(const struct exchange *exchange, const struct stat *found,
			       uint64_t *ret_first, uint64_t *ret_length)
{
	const char *if_range = exchange_variable(exchange, "HTTP_IF_RANGE");
	char etag[ETAG_BYTES];

	if (*if_range && strcmp(if_range, etag_of(found, etag)) != 0)
		return RANGE_ALL;
	return range_read(exchange_variable(exchange, "HTTP_RANGE"), (uint64_t)found->st_size,
			  ret_first, ret_length);
}

/* Takes the descriptor. */
static void answer_file(struct exchange *exchange, const struct files_path *path, int file_fd,
			const struct stat *found)
{
	AUTO_FD fd = file_fd;
	uint64_t size = (uint64_t)found->st_size, first = 0, length = size;
	enum range range = wanted_range(exchange, found, &first, &length);
	char content_range[80];
	struct sending *sending;

	if (range == RANGE_OUTSIDE) {
		snprintf(content_range, sizeof content_range, "bytes */%llu",
			 (unsigned long long)size);
		answer_header(exchange, "Content-Range", content_range);
		answer_problem(exchange, 416, "the file has no such bytes");
		return;
	}
	if (range == RANGE_PART) {
		snprintf(content_range, sizeof content_range, "bytes %llu-%llu/%llu",
			 (unsigned long long)first, (unsigned long long)(first + length - 1),
			 (unsigned long long)size);
		answer_header(exchange, "Content-Range", content_range);
	}
	sending = malloc(sizeof *sending);
	if (!sending) {
		workspace_refuse(exchange, -ENOMEM);
		return;
	}
	*sending = (struct sending){ .fd = take_fd(&fd), .at = first, .left = length };
	add_file_headers(exchange, found);
	answer_stream(exchange, range == RANGE_PART ? 206 : 200, media_type_of(path->text),
		      &(struct body_stream){ .length = length,
					     .send = send_file,
					     .free = free_sending,
					     .context = sending });
}

void session_files_get(struct exchange *exchange)
{
	struct files_path path;
	struct stat found;

	if (!session_id_valid(exchange) ||
	    !take_path(exchange, "path", exchange->parameters[1], &path))
		return;
	AUTO_FD root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	AUTO_FD fd = files_open(root, &path, &found);
	if (fd < 0) {
		workspace_refuse(exchange, fd);
	} else if (!if_match_holds(exchange_variable(exchange, "HTTP_IF_MATCH"), &found)) {
		workspace_refuse(exchange, -ESTALE);
	} else if (!if_none_match_holds(exchange_variable(exchange, "HTTP_IF_NONE_MATCH"),
					&found)) {
		add_file_headers(exchange, &found);
		answer_status(exchange, 304);
	} else {
		answer_file(exchange, &path, take_fd(&fd), &found);
	}
}

/* ---- put, delete, rename ------------------------------------------------- */

static bool preconditions_hold(const void *context, const struct stat *found)
{
	const struct exchange *exchange = context;

	return if_match_holds(exchange_variable(exchange, "HTTP_IF_MATCH"), found) &&
	       if_none_match_holds(exchange_variable(exchange, "HTTP_IF_NONE_MATCH"), found);
}

/* A part of a path to be written that is no folder is a conflict, not a file
 * that is missing. */
static void refuse_change(struct exchange *exchange, int failed)
{
	if (failed == -ENOTDIR)
		answer_problem(exchange, 409, "a part of the path is not a folder");
	else
		workspace_refuse(exchange, failed);
}

/* A file on its way in. */
struct receiving {
	struct exchange *exchange;
	struct files_path path;
	struct upload upload;
	struct stat written;
	bool replaced;
};

static int receive_file(void *context, int root)
{
	struct receiving *file = context;
	struct files_condition only_if = { preconditions_hold, file->exchange };

	upload_open(file->exchange, &file->upload);
	return files_write(root, &file->path, NULL, 0,
			   (struct files_write){ .from = &file->upload.source,
						 .make_directories = true,
						 .only_if = &only_if,
						 .ret_written = &file->written,
						 .ret_replaced = &file->replaced });
}

void session_files_put(struct exchange *exchange)
{
	struct receiving file = { .exchange = exchange };
	struct workspace_change change = { .put = receive_file, .context = &file };
	char etag[ETAG_BYTES];

	if (!session_id_valid(exchange) ||
	    !take_path(exchange, "path", exchange->parameters[1], &file.path))
		return;
	change.bytes = files_room(upload_most(exchange), &file.path);
	if (!workspace_put(exchange, exchange->parameters[0], NULL, &change)) {
		if (change.failed && !upload_refused(exchange, change.failed))
			refuse_change(exchange, change.failed);
		return;
	}
	answer_header(exchange, "ETag", etag_of(&file.written, etag));
	struct json_writer writer = answer_open(exchange, file.replaced ? 200 : 201);
	writer_string(&writer, "path", file.path.text);
	writer_unsigned(&writer, "size", file.upload.length);
	answer_finish(exchange, &writer);
}

/* A folder too, if it is empty or the query says recursive=true. */
static int remove_any(const struct exchange *exchange, int root, const struct files_path *path)
{
	struct files_condition only_if = { preconditions_hold, exchange };
	int failed = files_remove(root, path, (struct files_remove){ .only_if = &only_if });

	if (failed != -EISDIR)
		return failed;
	return query_flag(exchange, "recursive") ? files_remove_tree(root, path)
						 : files_remove_directory(root, path);
}

void session_files_delete(struct exchange *exchange)
{
	struct files_path path;
	int failed;

	if (!session_id_valid(exchange) ||
	    !take_path(exchange, "path", exchange->parameters[1], &path))
		return;
	AUTO_FD root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = remove_any(exchange, root, &path);
	if (failed == -ENOTEMPTY)
		answer_problem(exchange, 409, "the folder is not empty (see recursive=true)");
	else if (failed)
		workspace_refuse(exchange, failed);
	else
		answer_nothing(exchange);
}

void session_files_rename(struct exchange *exchange)
{
	struct workspace_rename rename;
	AUTO_INPUT input = { 0 };
	struct text old, new;

	if (!session_id_valid(exchange) || !input_open(exchange, false, &input))
		return;
	old = input_text(&input, "from", INPUT_REQUIRED, SIZE_MAX);
	new = input_text(&input, "to", INPUT_REQUIRED, SIZE_MAX);
	rename.replace = input_bool(&input, "replace", false);
	input_refuse_unknown(&input);
	if (input_refused(exchange, &input, 422) ||
	    !take_path(exchange, "from", old, &rename.from) ||
	    !take_path(exchange, "to", new, &rename.to))
		return;
	if (workspace_rename(exchange, exchange->parameters[0], &rename)) {
		struct json_writer writer = answer_open(exchange, 200);

		writer_string(&writer, "from", rename.from.text);
		writer_string(&writer, "to", rename.to.text);
		answer_finish(exchange, &writer);
	} else if (rename.failed == -EINVAL) {
		answer_problem(exchange, 409, "a folder cannot be put into itself");
	} else if (rename.failed == -EEXIST) {
		answer_problem(exchange, 409,
			       "there is something of the new name already (see \"replace\")");
	} else if (rename.failed) {
		refuse_change(exchange, rename.failed);
	}
}
