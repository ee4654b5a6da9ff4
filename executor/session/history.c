#include "executor/session/history.h"

#include <stdlib.h>
#include <string.h>

#include "common/fields.h"

enum { CODE_BYTES_MAX = 8 << 10, RESULT_BYTES_MAX = 1 << 10 };

struct history_cell {
	struct history_cell *next;
	struct buffer fields; /* ready to be sent */
};

void history_init(struct history *history)
{
	*history = (struct history){ .last = &history->first };
}

/* Not in the middle of a character: continuation bytes begin with 10. */
static size_t cut(const uint8_t *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	while (most && (text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

static int describe(struct buffer *fields, uint64_t execution, uint64_t when_ms,
		    const uint8_t *code, size_t code_length, const struct outcome *outcome)
{
	struct field_view result = { 0 };
	int error = fields_put_number(fields, FIELD_EXECUTION, execution);

	if (!error)
		error = fields_put_number(fields, FIELD_CREATED_MS, when_ms);
	if (!error)
		error = fields_put_bytes(fields, FIELD_CODE, code,
					 cut(code, code_length, CODE_BYTES_MAX));
	if (!error)
		error = fields_put_number(fields, FIELD_STATUS, outcome->status);
	if (!error)
		error = fields_put_number(fields, FIELD_REASON, outcome->reason);
	if (!error)
		error = fields_put_number(fields, FIELD_STATE, outcome->state);
	if (!error)
		error = fields_put_number(fields, FIELD_WALL_US, outcome->wall_us);
	if (!error &&
	    fields_find(outcome->report, outcome->report_length, FIELD_RESULT, &result) == 1)
		error = fields_put_bytes(fields, FIELD_RESULT, result.value,
					 cut(result.value, result.length, RESULT_BYTES_MAX));
	return error;
}

static void forget_oldest(struct history *history)
{
	struct history_cell *cell = history->first;

	history->first = cell->next;
	if (!history->first)
		history->last = &history->first;
	history->count--;
	buffer_reset(&cell->fields);
	free(cell);
}

void history_add(struct history *history, size_t keep, uint64_t execution, uint64_t when_ms,
		 const uint8_t *code, size_t code_length, const struct outcome *outcome)
{
	struct history_cell *cell = keep ? calloc(1, sizeof *cell) : NULL;

	if (!cell)
		return;
	if (describe(&cell->fields, execution, when_ms, code, code_length, outcome)) {
		buffer_reset(&cell->fields);
		free(cell);
		return;
	}
	*history->last = cell;
	history->last = &cell->next;
	history->count++;
	while (history->count > keep)
		forget_oldest(history);
}

int history_put(const struct history *history, struct buffer *list)
{
	int error = 0;

	for (const struct history_cell *cell = history->first; !error && cell; cell = cell->next)
		error = fields_put_bytes(list, FIELD_HISTORY, cell->fields.data,
					 cell->fields.length);
	return error;
}

void history_free(struct history *history)
{
	while (history->first)
		forget_oldest(history);
}
