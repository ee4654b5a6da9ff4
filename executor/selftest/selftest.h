/* selftest.h - the walls that doctor tries, and the programs that try them. */
#ifndef VIVARIUM_SELFTEST_H
#define VIVARIUM_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/run/ending.h"

struct wall {
	const char *name;   /* as the probe prints it */
	const char *what;   /* what it keeps in, or out */
	const char *remedy; /* when it is broken */
};

extern const struct wall walls[];
extern const size_t wall_count;

/* One probe: a program, how it is run, and what must come of it. */
struct probe {
	const char *wall;  /* judged by its end; NULL: by the lines that it prints */
	const char *code;
	uint32_t flags;    /* enum mailbox_flag */
	enum reason ends_by;
	bool needs_cgroups;
};

extern const struct probe probes[];
extern const size_t probe_count;

#endif
