/* cell_parts.h - the inside of a cell, for cell.c and cell_summary.c alone. */
#ifndef VIVARIUM_CELL_PARTS_H
#define VIVARIUM_CELL_PARTS_H

#include "common/bytes.h"
#include "executor/session/cell.h"

enum { CELL_STREAMS = 2 };

struct follower;

struct cell {
	struct cell_config config; /* code is ours */
	struct event_log log;
	uint8_t pending[CELL_STREAMS][4]; /* the beginning of a character */
	size_t pending_length[CELL_STREAMS];
	struct follower *followers;
	bool over, waits_for_input;
	struct buffer outcome;
};

#endif
