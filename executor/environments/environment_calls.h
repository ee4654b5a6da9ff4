/* environment_calls.h - environments in what callers ask for, and in what they are told. */
#ifndef VIVARIUM_ENVIRONMENT_CALLS_H
#define VIVARIUM_ENVIRONMENT_CALLS_H

#include <stdbool.h>

#include "executor/environments/environments.h"
#include "executor/run/ending.h"
#include "executor/run/profile.h"
#include "executor/server/server.h"

/* The one that the call names, or the profile's default. Refuses the call, with the
 * names that there are, and returns false if there is none. */
bool req_environment(struct call *call, const struct environments *environments,
		     const struct profile *profile, struct environment **ret_environment);

/* The same, held: environment_release() it. */
bool req_held_environment(struct call *call, const struct environments *environments,
			  const struct profile *profile, struct environment **ret_environment);

enum { IMPORT_NOTE_BYTES = 512 };

/* Where an import failed that would work elsewhere: the outcome's note then says in
 * which environments, if it says nothing else. `text` must outlive the note. */
void import_note(const struct environments *environments, struct outcome *outcome,
		 char text[IMPORT_NOTE_BYTES]);

#endif
