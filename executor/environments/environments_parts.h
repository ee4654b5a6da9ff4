/* environments_parts.h - all environments from inside, for environments.c and
 * environments_info.c alone. */
#ifndef VIVARIUM_ENVIRONMENTS_PARTS_H
#define VIVARIUM_ENVIRONMENTS_PARTS_H

#include "executor/environments/environments.h"

enum { ENVIRONMENTS_MAX = 64 };

struct environments {
	struct environments_config config;
	struct root_image image;
	struct environment *base;
	struct environment *list[ENVIRONMENTS_MAX]; /* that can be asked for, besides base */
	size_t count;
	struct environment *gone[ENVIRONMENTS_MAX]; /* that have holders yet, or are due */
	size_t gone_count;
	struct loop_source watch;
	struct loop_timer bury;
};

#endif
