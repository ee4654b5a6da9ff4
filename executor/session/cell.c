#include "executor/session/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROMPT_BYTES_MAX = 8 << 10,
	ASKED_MAX = 16,                /* without an answer: a signal's handler may ask, too */
	OUTCOME_BYTES_MAX = 256 << 10, /* what an honest report needs at most */
};

struct follower {
	struct cell *cell;
	struct follower *next;
	struct call *call;
	struct event_cursor cursor;
	bool paced, caller;
};

int cell_new(const struct cell_config *config, struct cell **ret_cell)
{
	struct cell *cell = calloc(1, sizeof *cell);
	size_t length = utf8_cut(config->code, config->code_length, CELL_CODE_BYTES_MAX);
	uint8_t *code = malloc(length + 1);

	if (!cell || !code) {
		free(cell);
		free(code);
		return -ENOMEM;
	}
	if (length)
		memcpy(code, config->code, length);
	cell->config = *config;
	cell->config.code = code;
	cell->config.code_length = length;
	event_log_init(&cell->log, config->most_bytes);
	*ret_cell = cell;
	return 0;
}

uint64_t cell_execution(const struct cell *cell)
{
	return cell->config.execution;
}

struct field_view cell_code(const struct cell *cell)
{
	return (struct field_view){ .tag = FIELD_CODE,
				    .value = cell->config.code,
				    .length = cell->config.code_length };
}

bool cell_is_over(const struct cell *cell)
{
	return cell->over;
}

bool cell_is_detached(const struct cell *cell)
{
	return cell->config.detached;
}

bool cell_is_followed(const struct cell *cell)
{
	return cell->followers != NULL;
}

size_t cell_size(const struct cell *cell)
{
	return sizeof *cell + cell->config.code_length + event_log_size(&cell->log) +
	       cell->outcome.capacity;
}

void cell_shrink(struct cell *cell, size_t most)
{
	event_log_shrink(&cell->log, most);
	event_log_settle(&cell->log);
}

/* -- followers --------------------------------------------------------------------- */

static void send_event(struct call *call, const struct event *event, uint64_t next)
{
	AUTO_BUFFER gap = BUFFER_INIT(256);

	if (event->type != FRAME_GAP) {
		call_event(call, event->type, event->bytes, event->length);
		return;
	}
	(void)fields_put_number(&gap, FIELD_SEQUENCE, next);
	(void)fields_put_number(&gap, FIELD_LOST_BYTES, event->lost_bytes);
	call_event(call, FRAME_GAP, gap.data, gap.length);
}

static void send_start(const struct cell *cell, struct call *call, uint64_t sequence)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_text(&fields, FIELD_SESSION_ID, cell->config.session_id);
	(void)fields_put_number(&fields, FIELD_EXECUTION, cell->config.execution);
	(void)fields_put_number(&fields, FIELD_SEQUENCE, sequence);
	call_event(call, FRAME_START, fields.data, fields.length);
}

static void send_all(struct cell *cell, struct call *call, struct event_cursor *cursor)
{
	struct event event;

	while (event_log_read(&cell->log, cursor, &event))
		send_event(call, &event, cursor->number);
}

/* What there is, as far as it is wanted now. */
static void feed(struct follower *follower)
{
	struct event event;

	while ((!follower->paced || call_has_room(follower->call)) &&
	       event_log_read(&follower->cell->log, &follower->cursor, &event))
		send_event(follower->call, &event, follower->cursor.number);
}

static bool holds(const struct follower *follower)
{
	return follower->paced && !follower->cell->config.detached;
}

bool cell_must_wait(struct cell *cell)
{
	for (struct follower *f = cell->followers; f; f = f->next)
		if (holds(f) && !call_has_room(f->call))
			return true;
	return false;
}

static void on_has_room(struct call *call)
{
	struct follower *follower = call->context;
	struct cell *cell = follower->cell;

	feed(follower);
	if (!cell_must_wait(cell) && cell->config.owner.has_room)
		cell->config.owner.has_room(cell->config.owner.context, cell);
}

static void remove_follower(struct follower *follower)
{
	struct follower **link = &follower->cell->followers;

	while (*link != follower)
		link = &(*link)->next;
	*link = follower->next;
	follower->call->cancel = NULL;
	follower->call->has_room = NULL;
	free(follower);
}

static void on_cancel(struct call *call)
{
	struct follower *follower = call->context;
	struct cell *cell = follower->cell;
	bool paced = follower->paced, held = cell_must_wait(cell);

	remove_follower(follower);
	if (held && !cell_must_wait(cell) && cell->config.owner.has_room)
		cell->config.owner.has_room(cell->config.owner.context, cell);
	if (!cell->followers && cell->config.owner.left)
		cell->config.owner.left(cell->config.owner.context, cell, paced);
}

static int put_extras(const struct cell *cell, struct buffer *list)
{
	int error = fields_put_bytes(list, FIELD_CODE, cell->config.code, cell->config.code_length);

	if (!error)
		error = fields_put_number(list, FIELD_CREATED_MS, cell->config.created_ms);
	if (!error)
		error = fields_put_number(list, FIELD_SEQUENCE, cell->log.next);
	return error;
}

/* The final frame of a cell that is over, to one who may know nothing of it. */
static void send_outcome(const struct cell *cell, struct call *call)
{
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);

	if (buffer_append(&fields, cell->outcome.data, cell->outcome.length) ||
	    put_extras(cell, &fields))
		call_refuse_busy(call, REFUSAL_INTERNAL, "Out of memory.", 1000);
	else
		call_finish(call, FRAME_OUTCOME, &fields);
}

void cell_follow(struct cell *cell, struct call *call, uint64_t from, bool paced, bool caller)
{
	struct follower *follower = calloc(1, sizeof *follower);

	if (!follower) {
		call_refuse_busy(call, REFUSAL_INTERNAL, "Out of memory.", 1000);
		return;
	}
	*follower = (struct follower){ .cell = cell,
				       .next = cell->followers,
				       .call = call,
				       .cursor = event_log_seek(&cell->log, from),
				       .paced = paced,
				       .caller = caller };
	cell->followers = follower;
	call->context = follower;
	call->cancel = on_cancel;
	call->has_room = on_has_room;
	if (paced)
		send_start(cell, call, follower->cursor.number);
	feed(follower);
}

void cell_give(struct cell *cell, struct call *call, uint64_t from)
{
	struct event_cursor cursor = event_log_seek(&cell->log, from);
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);

	call->cancel = NULL;
	send_start(cell, call, cursor.number);
	send_all(cell, call, &cursor);
	if (cell->over) {
		send_outcome(cell, call);
		return;
	}
	(void)fields_put_text(&fields, FIELD_SESSION_ID, cell->config.session_id);
	(void)fields_put_number(&fields, FIELD_EXECUTION, cell->config.execution);
	(void)fields_put_number(&fields, FIELD_RUNNING, 1);
	(void)fields_put_number(&fields, FIELD_WAITS_FOR_INPUT, cell->waits_for_input);
	(void)put_extras(cell, &fields);
	call_finish(call, FRAME_REPLY, &fields);
}

/* -- what the program does ----------------------------------------------------------- */

static void add(struct cell *cell, enum frame_type type, const void *bytes, size_t length)
{
	/* whom the program waits for misses nothing, also at its end, when it cannot wait */
	if (event_log_is_full(&cell->log, length))
		for (struct follower *f = cell->followers; f; f = f->next)
			if (!cell->config.detached)
				send_all(cell, f->call, &f->cursor);
	int error = event_log_add(&cell->log, type, bytes, length);
	for (struct follower *f = cell->followers; f; f = f->next) {
		if (error && f->cursor.number + 1 == cell->log.next) { /* too large to be kept */
			call_event(f->call, type, bytes, length);
			f->cursor = event_log_seek(&cell->log, cell->log.next);
		}
		feed(f);
	}
}

/* Whole characters; the beginning of one at the end of a chunk waits for its rest. */
void cell_write(struct cell *cell, unsigned stream, const uint8_t *bytes, size_t length)
{
	enum frame_type type = stream ? FRAME_STDERR : FRAME_STDOUT;
	AUTO_BUFFER joined = BUFFER_INIT(0);
	size_t before = cell->pending_length[stream];

	if (before && !buffer_append(&joined, cell->pending[stream], before) &&
	    !buffer_append(&joined, bytes, length)) {
		bytes = joined.data;
		length = joined.length;
	}
	struct text whole = { (const char *)bytes, length };
	size_t rest = length - text_without_half_character(whole).length;
	if (rest)
		memcpy(cell->pending[stream], bytes + length - rest, rest);
	cell->pending_length[stream] = rest;
	if (length > rest)
		add(cell, type, bytes, length - rest);
}

static void write_pending(struct cell *cell)
{
	for (unsigned stream = 0; stream < CELL_STREAMS; stream++) {
		size_t length = cell->pending_length[stream];

		cell->pending_length[stream] = 0;
		if (length)
			add(cell, stream ? FRAME_STDERR : FRAME_STDOUT, cell->pending[stream],
			    length);
	}
}

void cell_show(struct cell *cell, const uint8_t *text, size_t length)
{
	add(cell, FRAME_DISPLAY, text, length);
}

/* A program that asks and asks, without waiting, is not told of for ever: unlike what it
 * writes and shows, this cannot wait for who does not read. */
void cell_ask(struct cell *cell, const uint8_t *prompt, size_t length, bool password)
{
	AUTO_BUFFER fields = BUFFER_INIT(PROMPT_BYTES_MAX + 256);
	size_t most = cell_must_wait(cell) ? 0 : PROMPT_BYTES_MAX;

	cell->waits_for_input = true;
	if (cell->asked == ASKED_MAX)
		return;
	cell->asked++;
	(void)fields_put_bytes(&fields, FIELD_PROMPT, prompt, utf8_cut(prompt, length, most));
	(void)fields_put_number(&fields, FIELD_PASSWORD, password);
	add(cell, FRAME_INPUT, fields.data, fields.length);
}

void cell_answered(struct cell *cell)
{
	cell->waits_for_input = false;
	cell->asked = 0;
}

/* -- its end ------------------------------------------------------------------------- */

/* An outcome with a report that is larger than any honest one is kept without it. */
static void keep_outcome(struct cell *cell, const struct buffer *outcome)
{
	struct fields_reader reader;
	struct field_view field;

	cell->outcome = BUFFER_INIT(2 * OUTCOME_BYTES_MAX);
	fields_open(&reader, outcome->data, outcome->length);
	while (fields_next(&reader, &field) > 0)
		if (field.tag != FIELD_REPORT || field.length <= OUTCOME_BYTES_MAX)
			(void)fields_put_bytes(&cell->outcome, field.tag, field.value,
					       field.length);
}

void cell_finish(struct cell *cell, const struct buffer *outcome)
{
	write_pending(cell);
	cell->over = true;
	cell->waits_for_input = false;
	keep_outcome(cell, outcome);
	while (cell->followers) {
		struct follower *follower = cell->followers;
		struct call *call = follower->call;
		bool caller = follower->caller;

		send_all(cell, call, &follower->cursor);
		remove_follower(follower);
		if (caller)
			call_finish(call, FRAME_OUTCOME, outcome);
		else
			send_outcome(cell, call);
	}
	event_log_settle(&cell->log);
}

void cell_free(struct cell *cell, const char *message)
{
	while (cell->followers) {
		struct call *call = cell->followers->call;

		remove_follower(cell->followers);
		call_refuse(call, REFUSAL_NO_SESSION, FIELD_NONE, "%s", message);
	}
	event_log_free(&cell->log);
	buffer_reset(&cell->outcome);
	free((void *)(uintptr_t)cell->config.code);
	free(cell);
}
