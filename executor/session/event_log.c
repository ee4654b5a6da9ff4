#include "executor/session/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { JOINED_BYTES_MAX = 16 << 10, COMPACT_BYTES = 32 << 10 };

struct header {
	uint32_t length;
	uint32_t type;
};

void event_log_init(struct event_log *log, size_t most)
{
	*log = (struct event_log){ .most = most, .first = 1, .next = 1 };
}

static struct header read_header(const struct event_log *log, size_t at)
{
	struct header header;

	memcpy(&header, log->bytes.data + at, sizeof header);
	return header;
}

static size_t used(const struct event_log *log)
{
	return log->bytes.length - log->start;
}

/* What was forgotten must not stay in memory; moved rarely, as it costs. */
static void compact(struct event_log *log)
{
	if (log->start < COMPACT_BYTES || log->start < used(log))
		return;
	log->base += log->start;
	log->newest -= log->newest >= log->start ? log->start : log->newest;
	buffer_consume(&log->bytes, log->start);
	log->start = 0;
}

static void forget_oldest(struct event_log *log)
{
	struct header header = read_header(log, log->start);

	log->start += sizeof header + header.length;
	log->gone_bytes += header.length;
	log->first++;
}

void event_log_shrink(struct event_log *log, size_t most)
{
	while (used(log) > most)
		forget_oldest(log);
	compact(log);
}

bool event_log_is_full(const struct event_log *log, size_t length)
{
	return used(log) + sizeof(struct header) + length > log->most;
}

static bool is_text(uint32_t type)
{
	return type == FRAME_STDOUT || type == FRAME_STDERR;
}

/* What a cursor has passed never grows: its place would be in the middle of an event. */
static void note_passed(struct event_log *log, const struct event_cursor *cursor)
{
	if (log->read + 1 < cursor->number)
		log->read = cursor->number - 1;
}

static bool can_join(const struct event_log *log, enum frame_type type, size_t length)
{
	if (!used(log) || !is_text(type) || log->read + 1 >= log->next)
		return false;
	struct header newest = read_header(log, log->newest);
	return newest.type == type && newest.length + length <= JOINED_BYTES_MAX;
}

static int append(struct event_log *log, enum frame_type type, const void *bytes, size_t length)
{
	struct header header = { .length = (uint32_t)length, .type = type };
	int error = buffer_reserve(&log->bytes, sizeof header + length);

	if (error)
		return error;
	if (can_join(log, type, length)) {
		header.length += read_header(log, log->newest).length;
	} else {
		log->newest = log->bytes.length;
		log->bytes.length += sizeof header;
		log->next++;
	}
	memcpy(log->bytes.data + log->newest, &header, sizeof header);
	return buffer_append(&log->bytes, bytes, length);
}

int event_log_add(struct event_log *log, enum frame_type type, const void *bytes, size_t length)
{
	bool fits = length + sizeof(struct header) <= log->most;

	event_log_shrink(log, fits ? log->most - length - sizeof(struct header) : 0);
	int error = fits ? append(log, type, bytes, length) : -EMSGSIZE;
	if (error) {
		event_log_shrink(log, 0);
		log->gone_bytes += length;
		log->first = ++log->next;
	}
	return error;
}

void event_log_settle(struct event_log *log)
{
	log->base += log->start;
	log->newest -= log->newest >= log->start ? log->start : log->newest;
	buffer_consume(&log->bytes, log->start);
	log->start = 0;
	if (!log->bytes.length) {
		buffer_reset(&log->bytes);
		return;
	}
	uint8_t *data = realloc(log->bytes.data, log->bytes.length);
	if (data) {
		log->bytes.data = data;
		log->bytes.capacity = log->bytes.length;
	}
}

size_t event_log_size(const struct event_log *log)
{
	return log->bytes.capacity;
}

struct event_cursor event_log_seek(struct event_log *log, uint64_t number)
{
	struct event_cursor cursor = { .number = log->first,
				       .at = log->base + log->start,
				       .seen_bytes = log->gone_bytes };

	if (number < log->first)
		return (struct event_cursor){ .number = number ? number : 1 };
	while (cursor.number < number && cursor.number < log->next) {
		struct header header = read_header(log, (size_t)(cursor.at - log->base));

		cursor.number++;
		cursor.at += sizeof header + header.length;
		cursor.seen_bytes += header.length;
	}
	note_passed(log, &cursor);
	return cursor;
}

bool event_log_read(struct event_log *log, struct event_cursor *cursor, struct event *ret_event)
{
	if (cursor->number < log->first) {
		*ret_event = (struct event){ .type = FRAME_GAP,
					     .lost_bytes = log->gone_bytes - cursor->seen_bytes };
		*cursor = event_log_seek(log, log->first);
		return true;
	}
	if (cursor->number >= log->next)
		return false;
	size_t at = (size_t)(cursor->at - log->base);
	struct header header = read_header(log, at);
	*ret_event = (struct event){ .type = (enum frame_type)header.type,
				     .bytes = log->bytes.data + at + sizeof header,
				     .length = header.length };
	cursor->number++;
	cursor->at += sizeof header + header.length;
	cursor->seen_bytes += header.length;
	note_passed(log, cursor);
	return true;
}

void event_log_free(struct event_log *log)
{
	buffer_reset(&log->bytes);
}
