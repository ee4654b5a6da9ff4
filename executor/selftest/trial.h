/* trial.h - does a package environment work? One run in it, before anybody uses it. */
#ifndef VIVARIUM_TRIAL_H
#define VIVARIUM_TRIAL_H

#include "executor/executor.h"

struct trial;

/* Run `code` in the environment, its output on ours; then call ended() with whether it
 * went well. The reason for not is on stderr. 0 or -errno. */
int trial_begin(struct executor *executor, struct environment *environment, const char *code,
		size_t length, void (*ended)(struct executor *executor, bool well),
		struct trial **ret_trial);

/* Also while it runs: ended() is then not called. */
void trial_free(struct trial *trial);

#endif
