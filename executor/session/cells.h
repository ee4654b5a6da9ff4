/* cells.h - the last cells of a session, bounded in number and bytes.
 *
 * All sessions together have a bound as well: beyond it the oldest cells of the
 * session that keeps the most are forgotten. Cells that run are not forgotten; of
 * their events only the last are kept then. */
#ifndef VIVARIUM_CELLS_H
#define VIVARIUM_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "executor/session/cell.h"

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

#endif
