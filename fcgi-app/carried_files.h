/* carried_files.h - "files" and "return_files": what a request brings for a
 * workspace, and what it takes home. */
#ifndef VIVARIUM_CARRIED_FILES_H
#define VIVARIUM_CARRIED_FILES_H

#include "executor_client.h"
#include "files.h"
#include "json_input.h"
#include "json_writer.h"

enum { CARRIED_MAX = 1000 };

struct carried_file {
	struct text path; /* as the client wrote it */
	struct text content;
	struct buffer decoded; /* what content points to, if it came as base64 */
};

struct carried_files {
	struct carried_file *in;
	size_t in_count;
	struct text *out; /* paths */
	size_t out_count;
	const struct carried_file *failed_file; /* put() could not write it */
	int failed;
	struct exec_files hook;
};

/* Read both fields; what is wrong is noted in the input, whose texts the result
 * points into. */
void carried_files_read(struct input *input, struct carried_files *ret_files);
void carried_files_free(struct carried_files *files);

#define AUTO_CARRIED __attribute__((cleanup(carried_files_free))) struct carried_files

/* Write all that was brought. 0, or -errno with failed_file set. */
int carried_files_put(struct carried_files *files, int workspace_fd);

/* What the executor's client needs; NULL if nothing goes in or out. */
const struct exec_files *carried_files_hook(struct carried_files *files);

/* The problem answer after carried_files_put() failed. */
void carried_files_refuse(struct exchange *exchange, const struct carried_files *files);

/* The members of "files" in a result, into an object that is open: each path with
 * its text, {"base64": ...}, null if there is no such file, or {"error": ...};
 * `most_bytes` in all. */
void carried_files_write(struct json_writer *writer, const struct carried_files *files,
			 int workspace_fd, size_t most_bytes);

#endif
