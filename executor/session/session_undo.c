/* What can be undone, and the cell whose value `_` has. */
#include <stdlib.h>
#include <string.h>

#include "executor/session/session_parts.h"

enum { REPLAY_BYTES_MAX = 4096 };

static void set_replay(struct session *session, struct replay replay)
{
	session->replay = replay;
	session->replay_due = false;
}

void session_forget_undo_levels(struct session *session)
{
	while (session->undo_levels)
		free(session->undo[--session->undo_levels].before.code);
}

void session_be_empty(struct session *session)
{
	session->cells = 0;
	session_forget_undo_levels(session);
	free(session->replay.code);
	set_replay(session, (struct replay){ 0 });
}

/* Takes what it is given. */
static void add_undo_level(struct session *session, struct undo_level level)
{
	if (session->undo_levels && session->undo_levels >= session->terms.undo_depth) {
		free(session->undo[0].before.code);
		session->undo_levels--;
		memmove(session->undo, session->undo + 1,
			session->undo_levels * sizeof *session->undo);
	}
	if (session->undo_levels < session->terms.undo_depth &&
	    session->undo_levels < UNDO_LEVELS_MAX)
		session->undo[session->undo_levels++] = level;
	else
		free(level.before.code);
}

static struct replay make_replay(const void *code, size_t length)
{
	char *copy = length <= REPLAY_BYTES_MAX ? malloc(length + 1) : NULL;

	if (copy && length)
		memcpy(copy, code, length);
	return (struct replay){ copy, copy ? length : 0 };
}

bool session_add_pure_cell(struct session *session, struct field_view code, bool has_value)
{
	struct replay before = session->replay, now = { 0 };

	if (has_value)
		now = make_replay(code.value, code.length);
	else if (before.code) /* None is not kept in `_` */
		now = make_replay(before.code, before.length);
	if (!now.code && (has_value || before.code))
		return false;
	set_replay(session, now);
	add_undo_level(session, (struct undo_level){ .pure = true, .before = before });
	return true;
}

void session_add_cell(struct session *session)
{
	session->cells++;
	add_undo_level(session, (struct undo_level){ .before = session->replay });
	set_replay(session, (struct replay){ 0 });
}

void session_take_undo_level(struct session *session)
{
	free(session->replay.code);
	set_replay(session, session->undo[--session->undo_levels].before);
	session->replay_due = session->replay.code != NULL;
}
