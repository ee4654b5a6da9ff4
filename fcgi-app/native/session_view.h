/* session_view.h - sessions as the native API shows them. */
#ifndef VIVARIUM_SESSION_VIEW_H
#define VIVARIUM_SESSION_VIEW_H

#include "fcgi-app/execution/exec_run.h"
#include "fcgi-app/http/json_writer.h"

/* Each writes members into an object that is open. */

/* 2025-01-01T00:00:00.000Z from milliseconds since 1970; null for 0. */
void view_time(struct json_writer *writer, const char *key, uint64_t ms);

/* The one session that a reply is about. */
void view_session(struct json_writer *writer, const struct executor_answer *answer);

/* "undo_levels", if the reply says. */
void view_undo_levels(struct json_writer *writer, const struct executor_answer *answer);

/* "sessions": all of a reply. */
void view_sessions(struct json_writer *writer, const struct executor_answer *answer);

/* "variables": from a reply or an outcome; what they say is the program's own. */
void view_variables(struct json_writer *writer, const struct executor_answer *answer);

/* "history": the cells with how they ended. */
void view_history(struct json_writer *writer, const struct executor_answer *answer);

/* The last cells in short; one of them, over or not, with all that is kept of it. */
void view_cells(struct json_writer *writer, const struct executor_answer *answer);
void view_cell(struct json_writer *writer, const struct executor_answer *answer,
	       struct text session_id);

/* A request about the session in the path; false when the id is none: then the answer
 * has been given. */
bool session_request(struct exchange *exchange, enum frame_type call,
		     struct exec_request *ret_request);

#endif
