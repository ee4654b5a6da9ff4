/* undo.h - what can be undone, and the cell whose value `_` has.
 *
 * Looking at a value is the commonest cell, and a checkpoint costs more than it does:
 * `1+1` by 8 clients runs ten times as often without. Such a pure cell changes nothing
 * but `_`. It gets no checkpoint; its source is kept instead, and after a way back it is
 * run again, silently, in front of the next job (the replay), so that `_` is right. */
#ifndef VIVARIUM_UNDO_H
#define VIVARIUM_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fields.h"

enum { UNDO_LEVELS_MAX = 15 };

/* A cell to be run again. No code: there is none. */
struct replay {
	char *code;
	size_t length;
};

/* A cell that can be undone. */
struct undo_level {
	bool pure;
	struct replay before; /* what held before it */
};

struct undo {
	size_t depth; /* levels at most */
	uint64_t cells; /* whose effects the present state has, pure ones not counted */
	struct undo_level levels[UNDO_LEVELS_MAX]; /* the newest last */
	size_t count;
	struct replay replay;
	bool replay_due; /* the session went back to before it */
};

/* A cell may have changed something. */
void undo_add_cell(struct undo *undo);

/* A cell has changed nothing but `_`, and not even that if it has no value. False: it
 * cannot be kept to be run again, and counts as any other. */
bool undo_add_pure_cell(struct undo *undo, struct field_view code, bool has_value);

/* The session went back to its newest checkpoint. */
void undo_went_back(struct undo *undo);

/* Take the newest level back, where `checkpoints` are alive. True with the number of
 * checkpoints that are to be dropped for it. */
bool undo_take(struct undo *undo, size_t checkpoints, size_t *ret_drop);

/* None can be undone any more; the interpreter is a fresh one. */
void undo_forget(struct undo *undo);
void undo_be_empty(struct undo *undo);

#endif
