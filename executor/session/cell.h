/* cell.h - one cell of a session: what is kept of it, and who follows it.
 *
 * Whatever the program writes, shows and asks goes through the cell's log
 * (event_log.h) to its followers: the call that asked for the cell, and calls that
 * came for it later. A follower that is paced reads at its own pace: the program has
 * to wait for it, unless the cell is detached; then the follower misses events. */
#ifndef VIVARIUM_CELL_H
#define VIVARIUM_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fields.h"
#include "executor/server/server.h"
#include "executor/session/event_log.h"

enum { CELL_CODE_BYTES_MAX = 8 << 10 };

struct cell;

/* Told while the cell runs; all may be NULL. */
struct cell_owner {
	/* The last follower has gone; paced: it may come back. */
	void (*left)(void *context, struct cell *cell, bool paced);
	/* Nobody has to be waited for any more. */
	void (*has_room)(void *context, struct cell *cell);
	void *context;
};

struct cell_config {
	const char *session_id; /* outlives the cell */
	uint64_t execution, created_ms;
	const uint8_t *code; /* kept, but cut */
	size_t code_length;
	size_t most_bytes; /* of events */
	bool detached;
	struct cell_owner owner;
};

int cell_new(const struct cell_config *config, struct cell **ret_cell);

uint64_t cell_execution(const struct cell *cell);
/* As it is kept: cut. */
struct field_view cell_code(const struct cell *cell);
bool cell_is_over(const struct cell *cell);
bool cell_is_detached(const struct cell *cell);
bool cell_is_followed(const struct cell *cell);
/* Memory that it takes. */
size_t cell_size(const struct cell *cell);
/* Keep at most so much of its events. */
void cell_shrink(struct cell *cell, size_t most);

/* What the program does. */
void cell_write(struct cell *cell, unsigned stream, const uint8_t *bytes, size_t length);
void cell_show(struct cell *cell, const uint8_t *text, size_t length);
void cell_ask(struct cell *cell, const uint8_t *prompt, size_t length, bool password);
void cell_answered(struct cell *cell); /* it waits for input no more */

/* Must the program wait until has_room()? */
bool cell_must_wait(struct cell *cell);

/* It is over: all followers are answered. `outcome` are the fields of an OUTCOME. */
void cell_finish(struct cell *cell, const struct buffer *outcome);

/* Answer the call with the events from number `from` on: START if it is paced, then
 * the events as they come, then the outcome. The call is the cell's from now on.
 * `caller`: it asked for the cell, and is not told what it knows. */
void cell_follow(struct cell *cell, struct call *call, uint64_t from, bool paced, bool caller);

/* Answer the call with what there is now. */
void cell_give(struct cell *cell, struct call *call, uint64_t from);

/* Append the fields of a FIELD_HISTORY (of a cell that is over), or of a FIELD_CELL.
 * 0 or -errno. */
int cell_put_history(const struct cell *cell, struct buffer *list);
int cell_put_short(struct cell *cell, struct buffer *list);

/* Its followers are refused. */
void cell_free(struct cell *cell, const char *message);

#endif
