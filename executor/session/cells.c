#include "executor/session/cells.h"

#include <errno.h>
#include <stdlib.h>

#include "common/fields.h"

enum { RUNNING_BYTES_LEAST = 64 << 10 };

struct kept_cell {
	struct kept_cell *next; /* a newer one */
	struct cell *cell;
	size_t bytes; /* as counted */
};

void cells_init(struct cells *cells, struct histories *histories)
{
	*cells = (struct cells){ .histories = histories,
				 .last = &cells->first,
				 .next = histories->first,
				 .link = &histories->first };
	if (histories->first)
		histories->first->link = &cells->next;
	histories->first = cells;
}

static void count(struct cells *cells, struct kept_cell *kept, size_t bytes)
{
	cells->bytes += bytes - kept->bytes;
	cells->histories->bytes += bytes - kept->bytes;
	kept->bytes = bytes;
}

static void forget(struct cells *cells, struct kept_cell **link, const char *message)
{
	struct kept_cell *kept = *link;

	*link = kept->next;
	if (!*link)
		cells->last = link;
	cells->count--;
	count(cells, kept, 0);
	cell_free(kept->cell, message);
	free(kept);
}

/* The oldest that is over; false if there is none. */
static bool forget_oldest(struct cells *cells)
{
	struct kept_cell **link = &cells->first;

	while (*link && !cell_is_over((*link)->cell))
		link = &(*link)->next;
	if (!*link)
		return false;
	forget(cells, link, "");
	return true;
}

static struct cells *find_largest(const struct histories *histories)
{
	struct cells *largest = histories->first;

	for (struct cells *cells = histories->first; cells; cells = cells->next)
		if (cells->bytes > largest->bytes)
			largest = cells;
	return largest;
}

static void shrink_running(struct cells *cells)
{
	for (struct kept_cell *kept = cells->first; kept; kept = kept->next) {
		cell_shrink(kept->cell, RUNNING_BYTES_LEAST);
		count(cells, kept, cell_size(kept->cell));
	}
}

static void keep_bounds(struct cells *cells)
{
	struct histories *histories = cells->histories;

	while (cells->count > histories->most_cells && forget_oldest(cells))
		;
	while (cells->bytes > histories->most_bytes_each)
		if (!forget_oldest(cells)) {
			shrink_running(cells);
			break;
		}
	while (histories->bytes > histories->most_bytes) {
		struct cells *largest = find_largest(histories);

		if (!forget_oldest(largest)) {
			shrink_running(largest);
			break;
		}
	}
}

static struct kept_cell *find(const struct cells *cells, const struct cell *cell)
{
	struct kept_cell *kept = cells->first;

	while (kept && kept->cell != cell)
		kept = kept->next;
	return kept;
}

void cells_changed(struct cells *cells, struct cell *cell)
{
	struct kept_cell *kept = find(cells, cell);
	size_t bytes = cell_size(cell);

	if (kept->bytes == bytes && !cell_is_over(cell))
		return;
	count(cells, kept, bytes);
	keep_bounds(cells);
}

int cells_begin(struct cells *cells, const struct cell_config *config, struct cell **ret_cell)
{
	struct kept_cell *kept = calloc(1, sizeof *kept);
	int error = kept ? cell_new(config, &kept->cell) : -ENOMEM;

	if (error) {
		free(kept);
		return error;
	}
	*cells->last = kept;
	cells->last = &kept->next;
	cells->count++;
	*ret_cell = kept->cell;
	cells_changed(cells, kept->cell);
	return 0;
}

void cells_take_back(struct cells *cells)
{
	struct kept_cell **link = &cells->first;

	while (*link && (*link)->next)
		link = &(*link)->next;
	if (*link)
		forget(cells, link, "");
}

struct cell *cells_find(const struct cells *cells, uint64_t execution)
{
	for (const struct kept_cell *kept = cells->first; kept; kept = kept->next)
		if (cell_execution(kept->cell) == execution)
			return kept->cell;
	return NULL;
}

/* -- as lists ------------------------------------------------------------------------ */

/* Half a frame: what else is in it finds room. */
enum { LIST_BYTES_MAX = FRAME_FINAL_MAX / 2 };

typedef int put_one(struct cell *cell, struct buffer *list);

static int put_over(struct cell *cell, struct buffer *list)
{
	return cell_is_over(cell) ? cell_put_history(cell, list) : 0;
}

/* All of them, each in its place in a buffer of its own. */
static int put_all(const struct cells *cells, unsigned tag, put_one *put_cell, struct buffer *all)
{
	int error = 0;

	for (const struct kept_cell *kept = cells->first; !error && kept; kept = kept->next) {
		AUTO_BUFFER one = BUFFER_INIT(0);

		error = put_cell(kept->cell, &one);
		if (!error && one.length)
			error = fields_put_bytes(all, tag, one.data, one.length);
	}
	return error;
}

/* The newest matter: of too many the oldest are left out. */
static int put(const struct cells *cells, unsigned tag, put_one *put_cell, struct buffer *list)
{
	AUTO_BUFFER all = BUFFER_INIT(0);
	struct fields_reader reader;
	struct field_view field;
	int error = put_all(cells, tag, put_cell, &all);

	if (error)
		return error;
	fields_open(&reader, all.data, all.length);
	while (reader.left > LIST_BYTES_MAX && fields_next(&reader, &field) > 0)
		;
	return buffer_append(list, reader.at, reader.left);
}

int cells_put_history(const struct cells *cells, struct buffer *list)
{
	return put(cells, FIELD_HISTORY, put_over, list);
}

int cells_put_short(const struct cells *cells, struct buffer *list)
{
	return put(cells, FIELD_CELL, cell_put_short, list);
}

void cells_free(struct cells *cells, const char *message)
{
	while (cells->first)
		forget(cells, &cells->first, message);
	*cells->link = cells->next;
	if (cells->next)
		cells->next->link = cells->link;
}
