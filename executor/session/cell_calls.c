/* The FRAME_SESSION_* calls about a session's cells: its input, what is kept of them. */
#include <errno.h>
#include <string.h>

#include "executor/server/request.h"
#include "executor/session/session.h"
#include "executor/session/session_request.h"

enum { INPUT_BYTES_MAX = 1 << 20 };

static void finish(struct call *call, const char *what, int error, const struct buffer *fields)
{
	if (error)
		req_refuse_internal(call, what, error);
	else
		call_finish(call, FRAME_REPLY, fields);
}

void session_handle_stdin(void *context, struct call *call)
{
	struct field_view input = req_optional(call, FIELD_STDIN);
	AUTO_BUFFER nothing = BUFFER_INIT(0);
	struct session *session;

	if (input.length > INPUT_BYTES_MAX) {
		call_refuse(call, REFUSAL_INVALID, FIELD_STDIN, "expected at most %d bytes",
			    INPUT_BYTES_MAX);
		return;
	}
	if (!req_session(context, call, &session))
		return;
	int error = session_give_input(session, input.value, input.length,
				       req_number(call, FIELD_END_OF_INPUT));
	if (error == -ENOSPC)
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE,
			    "The program has not read what came before; it reads no faster.");
	else if (error == -ESRCH || error == -EPIPE)
		call_refuse(call, REFUSAL_CONFLICT, FIELD_NONE,
			    "No interactive cell that takes input is running.");
	else
		finish(call, "pass the input on", error, &nothing);
}

void session_handle_cells(void *context, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct session *session;

	if (req_session(context, call, &session))
		finish(call, "list the cells", cells_put_short(session_cells(session), &fields),
		       &fields);
}

void session_handle_cell(void *context, struct call *call)
{
	uint64_t from = req_number(call, FIELD_SEQUENCE);
	struct session *session;

	if (!req_session(context, call, &session))
		return;
	struct cell *cell = cells_find(session_cells(session), req_number(call, FIELD_EXECUTION));
	if (!cell)
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_EXECUTION,
			    "There is no cell of this number, or it is not kept any more.");
	else if (req_number(call, FIELD_FOLLOW) && !cell_is_over(cell))
		session_follow(session, cell, call, from);
	else
		cell_give(cell, call, from);
}
