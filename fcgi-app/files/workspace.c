#include "fcgi-app/files/workspace.h"

#include <errno.h>
#include <string.h>

#include "fcgi-app/http/answer.h"
#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/exec_run.h"

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
