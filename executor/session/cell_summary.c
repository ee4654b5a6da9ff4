/* A cell in short: for a session's history, and for the list of its cells. */
#include "executor/session/cell_parts.h"

enum { RESULT_BYTES_MAX = 1 << 10, SHORT_TEXT_BYTES = 8 << 10 };

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

int cell_put_history(const struct cell *cell, struct buffer *list)
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

int cell_put_short(struct cell *cell, struct buffer *list)
{
	uint64_t lost_bytes = cell->log.gone_bytes;
	int error = cell_put_history(cell, list);

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
