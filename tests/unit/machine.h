/* machine.h - for the tests of state machines: every pair of state and event is tried,
 * and what must come of it stands in a table as large as the machine's own. */
#ifndef VIVARIUM_MACHINE_H
#define VIVARIUM_MACHINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the stand-ins below were asked to do, in order: " kill leave". */
static char did[512];

static inline void do_it(const char *what)
{
	size_t length = strlen(did);

	snprintf(did + length, sizeof did - length, " %s", what);
}

#endif
