/* event_log.h - the last events of a cell: what it wrote, showed and asked for.
 *
 * A queue of (type, bytes), bounded in bytes: the oldest go. Events have numbers
 * from 1; a cursor reads them in order and is told how much it has missed. Text
 * that follows text of its kind joins it, as long as no cursor has passed that event. */
#ifndef VIVARIUM_EVENT_LOG_H
#define VIVARIUM_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/protocol.h"

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

#endif
