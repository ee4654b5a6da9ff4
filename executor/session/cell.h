/* cell.h - the cells of a session: what is kept of each, and who follows it.
 *
 * Whatever the program writes, shows and asks goes through the cell's log
 * of events to its followers: the call that asked for the cell, and calls that
 * came for it later. A follower that is paced reads at its own pace: the program has
 * to wait for it, unless the cell is detached; then the follower misses events. */
#ifndef VIVARIUM_CELL_H
#define VIVARIUM_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "common/protocol.h"
#include "executor/server/server.h"

/* -- event_log.c: the last events of a cell: what it wrote, showed and asked for ---------------
 *
 * A queue of (type, bytes), bounded in bytes: the oldest go. Events have numbers
 * from 1; a cursor reads them in order and is told how much it has missed. Text
 * that follows text of its kind joins it, as long as no cursor has passed that event. */

struct event_log {
	struct buffer bytes;
	size_t start;        /* of the oldest event in bytes */
	uint64_t base;       /* how many bytes of the log have been before bytes.data */
	size_t newest;       /* where the last event begins in bytes */
	size_t most;
	uint64_t first, next; /* numbers: of the oldest kept, of the one to come */
	uint64_t gone_bytes; /* of what the events before the first one held */
	uint64_t read;       /* the highest number that a cursor has passed */
};

struct event {
	enum frame_type type; /* FRAME_GAP: see lost_bytes; the next number is the cursor's */
	const uint8_t *bytes; /* good until the log changes */
	size_t length;
	uint64_t lost_bytes;
};

struct event_cursor {
	uint64_t number; /* of the next event to be read */
	uint64_t at, seen_bytes;
};

void event_log_init(struct event_log *log, size_t most);

/* Append, forgetting the oldest where there is no room. 0; -EMSGSIZE: it is larger
 * than all that may be kept, and is lost with all before it; -ENOMEM: likewise. */
int event_log_add(struct event_log *log, enum frame_type type, const void *bytes, size_t length);

/* Would adding that much make it forget something? */
bool event_log_is_full(const struct event_log *log, size_t length);

/* Forget the oldest until at most so much is kept. */
void event_log_shrink(struct event_log *log, size_t most);

/* Nothing more comes: keep no more memory than needed. */
void event_log_settle(struct event_log *log);

/* Memory that it takes. */
size_t event_log_size(const struct event_log *log);

/* A cursor that reads from event `number` (0: the first) on. Of events that are gone
 * already it says at most how much it has missed, from the first: exactly. */
struct event_cursor event_log_seek(struct event_log *log, uint64_t number);

/* True with the next event in *ret_event. */
bool event_log_read(struct event_log *log, struct event_cursor *cursor, struct event *ret_event);

void event_log_free(struct event_log *log);

/* -- a cell -------------------------------------------------------------------------------------- */

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

/* Its followers are refused. */
void cell_free(struct cell *cell, const char *message);

/* -- cells.c: the last cells of a session, bounded in number and bytes --------------------------
 *
 * All sessions together have a bound as well: beyond it the oldest cells of the
 * session that keeps the most are forgotten. Cells that run are not forgotten; of
 * their events only the last are kept then. */

/* What the cells of all sessions have in common. */
struct histories {
	struct cells *first;
	size_t bytes, most_bytes;
	size_t most_cells, most_bytes_each; /* of one session */
};

struct kept_cell;

struct cells {
	struct histories *histories;
	struct cells *next, **link;
	struct kept_cell *first, **last;
	struct kept_cell *newest; /* what runs is it; NULL: it is not kept any more */
	size_t count, bytes;
};

void cells_init(struct cells *cells, struct histories *histories);

/* A new cell, which runs; *ret_cell is the list's. 0 or -errno. */
int cells_begin(struct cells *cells, const struct cell_config *config, struct cell **ret_cell);

/* The one that runs takes more memory, or less, than before, or is over. A session runs one
 * at a time, so it is the newest. */
void cells_changed(struct cells *cells);

/* The newest has not been run after all. */
void cells_take_back(struct cells *cells);

/* NULL if it is not kept, or never was. */
struct cell *cells_find(const struct cells *cells, uint64_t execution);

/* Append a FIELD_HISTORY for each cell that is over, or a FIELD_CELL for each, oldest
 * first; the oldest are left out where they are more than a frame takes. 0 or -errno. */
int cells_put_history(const struct cells *cells, struct buffer *list);
int cells_put_short(const struct cells *cells, struct buffer *list);

/* Calls that follow one are refused. */
void cells_free(struct cells *cells, const char *message);

/* -- its inside, for cell.c and cells.c alone ----------------------------------------------------- */

enum { CELL_STREAMS = 2 };

struct follower;

struct cell {
	struct cell_config config; /* code is ours */
	struct event_log log;
	uint8_t pending[CELL_STREAMS][4]; /* the beginning of a character */
	size_t pending_length[CELL_STREAMS];
	struct follower *followers;
	bool over, waits_for_input;
	unsigned asked; /* times, since the last answer */
	struct buffer outcome;
};

#endif
