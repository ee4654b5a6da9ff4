/* history.h - the last cells of a session, with how they ended. */
#ifndef VIVARIUM_HISTORY_H
#define VIVARIUM_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "executor/run/outcome_fields.h"

struct history_cell;

struct history {
	struct history_cell *first, **last;
	size_t count;
};

void history_init(struct history *history);

/* Remember a cell, forgetting the oldest beyond `keep`. Code and result are cut
 * to a few KiB. Without memory it is just not remembered. */
void history_add(struct history *history, size_t keep, uint64_t execution, uint64_t when_ms,
		 const uint8_t *code, size_t code_length, const struct outcome *outcome);

/* Append one FIELD_HISTORY list a cell, oldest first. 0 or -errno. */
int history_put(const struct history *history, struct buffer *list);

void history_free(struct history *history);

#endif
