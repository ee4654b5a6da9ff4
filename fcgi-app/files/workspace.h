/* workspace.h - a sandbox's workspace: its directory, what can go wrong, inline files. */
#ifndef VIVARIUM_WORKSPACE_H
#define VIVARIUM_WORKSPACE_H

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/json.h"
#include "fcgi-app/http/json_input.h"

/* More than a workspace has room for, unless its profile was made larger. */
enum {
	WORKSPACE_NODES_MAX = 50000,
	WORKSPACE_PATH_BYTES_MAX = 16 << 20,
	WORKSPACE_LIST_MAX = 10000,
};

extern const struct files_tree_limits workspace_whole;

/* Ask for the directory of a session. 0 with *ret_fd set, or -1: *ret_answer
 * then holds the refusal, or the problem answer has been given (type 0). With
 * `profile` not NULL the session is made if there is none. */
int workspace_ask(struct exchange *exchange, struct text session_id, const char *profile,
		  struct executor_answer *ret_answer, int *ret_fd);

/* The same; the descriptor, or -1 when the problem answer has been given. */
int workspace_open(struct exchange *exchange, struct text session_id, const char *profile);

/* Something that is written into a session's workspace: the executor counts it first. */
struct workspace_change {
	uint64_t bytes; /* at most, as files_room() counts; UINT64_MAX: not known */
	int (*put)(void *context, int workspace_fd); /* 0 or -errno */
	void *context;
	int failed; /* put()'s -errno: it is the caller who answers then */
};

/* True when it has been done. Else, unless put() has failed, the problem answer has been
 * given. With `profile` not NULL the session is made if there is none. */
bool workspace_put(struct exchange *exchange, struct text session_id, const char *profile,
		   struct workspace_change *change);

/* All files of one workspace for another one, with as much room as they take now: if they
 * become more before they are copied, the copy fails with -E2BIG. */
struct workspace_copy {
	int from;
	struct files_tree_limits limits; /* most_bytes: the room */
};

int workspace_copy_open(int from_fd, struct workspace_copy *ret_copy);
int workspace_copy_put(void *copy, int workspace_fd);

/* Folders of the new path are made: that takes room as well. Like workspace_put(). */
struct workspace_rename {
	struct files_path from, to;
	bool replace;
	int failed;
};

bool workspace_rename(struct exchange *exchange, struct text session_id,
		      struct workspace_rename *rename);

/* End a session that could not be made as it was asked for. Gives no answer. */
void workspace_abandon(struct exchange *exchange, struct text session_id);

/* The status and the sentence for a failure of the files module. */
int workspace_status(int failed);
const char *workspace_reason(int failed);

/* The problem answer for it. */
void workspace_refuse(struct exchange *exchange, int failed);

/* ---- "files" and "return_files": what a request brings for a workspace, and what it
 * takes home ---- */

enum { INLINE_MAX = 1000 };

struct inline_file {
	struct text path; /* as the client wrote it */
	struct text content;
	struct buffer decoded; /* what content points to, if it came as base64 */
};

struct inline_files {
	struct inline_file *in;
	size_t in_count;
	struct text *out; /* paths */
	size_t out_count;
	const struct inline_file *failed_file; /* put() could not write it */
	int failed;
	struct exec_files hook;
};

/* Read both fields; what is wrong is noted in the input, whose texts the result
 * points into. */
void inline_files_read(struct input *input, struct inline_files *ret_files);
void inline_files_free(struct inline_files *files);

#define AUTO_INLINE __attribute__((cleanup(inline_files_free))) struct inline_files

/* Writes all that was brought; after a failure failed_file is set. */
struct workspace_change inline_files_change(struct inline_files *files);

/* What the executor's client needs; NULL if nothing goes in or out. */
const struct exec_files *inline_files_hook(struct inline_files *files);

/* The problem answer when writing them has failed. */
void inline_files_refuse(struct exchange *exchange, const struct inline_files *files);

/* The members of "files" in a result, into an object that is open: each path with
 * its text, {"base64": ...}, null if there is no such file, or {"error": ...};
 * `most_bytes` in all. */
void inline_files_write(struct json_writer *writer, const struct inline_files *files,
			 int workspace_fd, size_t most_bytes);

#endif
