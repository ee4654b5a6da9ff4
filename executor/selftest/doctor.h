/* doctor.h - every wall of the sandbox, tried from inside before anybody is served.
 *
 * Probe programs run in real sandboxes and try to get out; each prints a line a
 * wall. A wall that gives way, or of which nothing was heard, is broken. */
#ifndef VIVARIUM_DOCTOR_H
#define VIVARIUM_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

#include "common/bytes.h"
#include "executor/executor.h"

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

#endif
