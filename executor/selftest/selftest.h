/* selftest.h - every wall tried before anybody is served, and a package environment before
 * anybody uses it. */
#ifndef VIVARIUM_SELFTEST_H
#define VIVARIUM_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/bytes.h"
#include "executor/executor.h"
#include "executor/run/ending.h"

/* ---- the doctor: every wall of the sandbox, tried from inside ----
 *
 * Probe programs run in real sandboxes and try to get out; each prints a line a
 * wall. A wall that gives way, or of which nothing was heard, is broken. */

struct doctor;

/* Start examining: needs a pool. ended() is called once. 0 or -errno. */
int doctor_begin(struct executor *executor, void (*ended)(struct executor *executor),
		 struct doctor **ret_doctor);

/* After ended(): is everything in order? */
bool doctor_healthy(const struct doctor *doctor);

/* The table of walls, kernel features and limits, for people. */
void doctor_print(const struct doctor *doctor, FILE *out);

/* Log each broken wall with its remedy. */
void doctor_log(const struct doctor *doctor);

/* Append FIELD_WALL lists and FIELD_PYTHON. 0 or -errno. */
int doctor_put(const struct doctor *doctor, struct buffer *list);

void doctor_free(struct doctor *doctor);

/* ---- the walls that the doctor tries, and the programs that try them (selftest.c) ---- */

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

/* ---- a trial: does a package environment work? One run in it ---- */

struct trial;

/* Run `code` in the environment, its output on ours; then call ended() with whether it
 * went well. The reason for not is on stderr. 0 or -errno. */
int trial_begin(struct executor *executor, struct environment *environment, const char *code,
		size_t length, void (*ended)(struct executor *executor, bool well),
		struct trial **ret_trial);

/* Also while it runs: ended() is then not called. */
void trial_free(struct trial *trial);

#endif
