/* workspace.h - a session's workspace: its directory, and what can go wrong. */
#ifndef VIVARIUM_WORKSPACE_H
#define VIVARIUM_WORKSPACE_H

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/execution/executor_client.h"
#include "fcgi-app/files/files_tree.h"

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

/* End a session that could not be made as it was asked for. Gives no answer. */
void workspace_abandon(struct exchange *exchange, struct text session_id);

/* The status and the sentence for a failure of the files module. */
int workspace_status(int failed);
const char *workspace_reason(int failed);

/* The problem answer for it. */
void workspace_refuse(struct exchange *exchange, int failed);

#endif
