/* comparer_batch.h - what a job of the comparer is about, and what its report says.
 * Beneath the comparer's machine: it decides nothing. */
#ifndef VIVARIUM_COMPARER_BATCH_H
#define VIVARIUM_COMPARER_BATCH_H

#include "common/mailbox.h"
#include "executor/grading/comparer.h"

/* A job's payload has room for so much. */
enum { COMPARER_PAYLOAD_MAX = MAILBOX_PAYLOAD_MAX - 1024 };

/* As many cases as are due and fit: the comparer's batch. One that alone is too much
 * leaves the payload empty, and the job fails. */
void comparer_batch_fill(struct comparer *comparer, struct buffer *payload);

/* Take the results: in the order of the batch, one each. False: they are not. */
bool comparer_batch_take(struct comparer *comparer, const struct outcome *outcome, bool compares);

/* The job failed. One case that cannot be compared is not to take others along: several
 * are tried one by one, a single one is given up. */
void comparer_batch_failed(struct comparer *comparer, bool compares);

/* Cases that have been compared are done; the batch is empty. */
void comparer_batch_release(struct comparer *comparer);

#endif
