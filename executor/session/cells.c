#include "executor/session/cell.h"

#include <errno.h>
#include <stdlib.h>

#include "common/fields.h"

enum {
	RUNNING_BYTES_LEAST = 64 << 10,
	RESULT_BYTES_MAX = 1 << 10,           /* in a history */
	SHORT_TEXT_BYTES = 8 << 10,           /* of each stream, in a list of cells */
	LIST_BYTES_MAX = FRAME_FINAL_MAX / 2, /* what else is in the frame finds room */
};

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
	if (cells->newest == kept)
		cells->newest = NULL;
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

void cells_changed(struct cells *cells)
{
	struct kept_cell *kept = cells->newest;
	size_t bytes = cell_size(kept->cell);

	if (kept->bytes == bytes && !cell_is_over(kept->cell))
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
	cells->newest = kept;
	cells->count++;
	*ret_cell = kept->cell;
	cells_changed(cells);
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

/* -- one cell in short ------------------------------------------------------------------- */

static int copy_field(const struct buffer *from, unsigned tag, struct buffer *list)
{
	struct field_view field;

	if (fields_find(from->data, from->length, tag, &field) != 1)
		return 0;
	return fields_put_bytes(list, tag, field.value, field.length);
}

static int put_result(const struct buffer *outcome, struct buffer *list)
{
	struct field_view report, result;

	if (fields_find(outcome->data, outcome->length, FIELD_REPORT, &report) != 1 ||
	    fields_find(report.value, report.length, FIELD_RESULT, &result) != 1)
		return 0;
	return fields_put_bytes(list, FIELD_RESULT, result.value,
				utf8_cut(result.value, result.length, RESULT_BYTES_MAX));
}

static int put_history(const struct cell *cell, struct buffer *list)
{
	static const unsigned copied[] = { FIELD_STATUS, FIELD_REASON, FIELD_STATE, FIELD_WALL_US };
	int error = fields_put_number(list, FIELD_EXECUTION, cell->config.execution);

	if (!error)
		error = fields_put_number(list, FIELD_CREATED_MS, cell->config.created_ms);
	if (!error)
		error = fields_put_bytes(list, FIELD_CODE, cell->config.code,
					 cell->config.code_length);
	for (size_t i = 0; !error && i < sizeof copied / sizeof *copied; i++)
		error = copy_field(&cell->outcome, copied[i], list);
	return error ? error : put_result(&cell->outcome, list);
}

/* Keep the last bytes of a text, from the beginning of a character on. */
static size_t cut_front(struct buffer *text, size_t most)
{
	size_t cut = text->length - utf8_tail(text->data, text->length, most);

	if (cut)
		buffer_consume(text, cut);
	return cut;
}

/* The last of what went to one stream; how much is missing before it. */
static int put_text(struct cell *cell, enum frame_type type, unsigned tag, uint64_t *lost_bytes,
		    struct buffer *list)
{
	uint64_t read = cell->log.read;
	struct event_cursor cursor = event_log_seek(&cell->log, cell->log.first);
	AUTO_BUFFER text = BUFFER_INIT(0);
	struct event event;
	int error = 0;

	while (!error && event_log_read(&cell->log, &cursor, &event)) {
		if (event.type != type)
			continue;
		error = buffer_append(&text, event.bytes, event.length);
		if (text.length > 8 * SHORT_TEXT_BYTES)
			*lost_bytes += cut_front(&text, SHORT_TEXT_BYTES);
	}
	cell->log.read = read; /* a look is no reading: nobody relies on these numbers */
	*lost_bytes += cut_front(&text, SHORT_TEXT_BYTES);
	return error ? error : fields_put_bytes(list, tag, text.data, text.length);
}

static int put_short(struct cell *cell, struct buffer *list)
{
	uint64_t lost_bytes = cell->log.gone_bytes;
	int error = put_history(cell, list);

	if (!error && !cell->over)
		error = fields_put_number(list, FIELD_RUNNING, 1);
	if (!error)
		error = fields_put_number(list, FIELD_WAITS_FOR_INPUT, cell->waits_for_input);
	if (!error)
		error = fields_put_number(list, FIELD_SEQUENCE, cell->log.next);
	if (!error)
		error = put_text(cell, FRAME_STDOUT, FIELD_STDOUT, &lost_bytes, list);
	if (!error)
		error = put_text(cell, FRAME_STDERR, FIELD_STDERR, &lost_bytes, list);
	if (!error)
		error = fields_put_number(list, FIELD_LOST_BYTES, lost_bytes);
	return error;
}

/* -- as lists ------------------------------------------------------------------------ */

typedef int put_one(struct cell *cell, struct buffer *list);

static int put_over(struct cell *cell, struct buffer *list)
{
	return cell_is_over(cell) ? put_history(cell, list) : 0;
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
	return put(cells, FIELD_CELL, put_short, list);
}

void cells_free(struct cells *cells, const char *message)
{
	while (cells->first)
		forget(cells, &cells->first, message);
	*cells->link = cells->next;
	if (cells->next)
		cells->next->link = cells->link;
}
