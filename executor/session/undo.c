#include "executor/session/session_parts.h"

#include <stdlib.h>
#include <string.h>

enum { REPLAY_BYTES_MAX = 4096 };

static void set_replay(struct undo *undo, struct replay replay)
{
	undo->replay = replay;
	undo->replay_due = false;
}

void undo_forget(struct undo *undo)
{
	while (undo->count)
		free(undo->levels[--undo->count].before.code);
}

void undo_be_empty(struct undo *undo)
{
	undo->cells = 0;
	undo_forget(undo);
	free(undo->replay.code);
	set_replay(undo, (struct replay){ 0 });
}

/* Takes what it is given. */
static void add_level(struct undo *undo, struct undo_level level)
{
	if (undo->count && undo->count >= undo->depth) {
		free(undo->levels[0].before.code);
		undo->count--;
		memmove(undo->levels, undo->levels + 1, undo->count * sizeof *undo->levels);
	}
	if (undo->count < undo->depth && undo->count < UNDO_LEVELS_MAX)
		undo->levels[undo->count++] = level;
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

bool undo_add_pure_cell(struct undo *undo, struct field_view code, bool has_value)
{
	struct replay before = undo->replay, now = { 0 };

	if (has_value)
		now = make_replay(code.value, code.length);
	else if (before.code) /* None is not kept in `_` */
		now = make_replay(before.code, before.length);
	if (!now.code && (has_value || before.code))
		return false;
	set_replay(undo, now);
	add_level(undo, (struct undo_level){ .pure = true, .before = before });
	return true;
}

void undo_add_cell(struct undo *undo)
{
	undo->cells++;
	add_level(undo, (struct undo_level){ .before = undo->replay });
	set_replay(undo, (struct replay){ 0 });
}

void undo_went_back(struct undo *undo)
{
	undo->replay_due = undo->replay.code != NULL;
}

/* One checkpoint stands for the state after the last cell that changed something, the
 * one below it for the state before that; before the first such cell a fresh
 * interpreter will do. */
bool undo_take(struct undo *undo, size_t checkpoints, size_t *ret_drop)
{
	if (!undo->count)
		return false;
	struct undo_level *newest = &undo->levels[undo->count - 1];
	size_t drop = newest->pure ? 0 : 1;
	size_t needed = undo->cells > drop ? drop + 1 : drop;

	if (undo->cells < drop || checkpoints < needed)
		return false;
	undo->cells -= drop;
	free(undo->replay.code);
	set_replay(undo, newest->before);
	undo->count--;
	undo_went_back(undo);
	*ret_drop = drop;
	return true;
}
