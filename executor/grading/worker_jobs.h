/* worker_jobs.h - what a worker runs: the loading, a case, an output that needs the
 * submission's names; and what their reports say. Beneath the worker's machine:
 * it starts jobs and fills in the case, and decides nothing. */
#ifndef VIVARIUM_WORKER_JOBS_H
#define VIVARIUM_WORKER_JOBS_H

#include "executor/grading/worker.h"

/* Start one in the worker's idle sandbox. 0, or -errno and nothing was started. */
int worker_jobs_load(struct worker *worker);
int worker_jobs_run(struct worker *worker);    /* its case */
int worker_jobs_expect(struct worker *worker); /* the case's output, where the call was */

/* The outcome of a job for which the fault is ours. */
struct outcome worker_jobs_failure(void);

/* Has the code loaded? *ret_outcome is how it ended, as far as one may believe it; its
 * report is the given one's. */
bool worker_jobs_loaded(const struct worker *worker, const struct outcome *given,
			struct outcome *ret_outcome);
/* That it did not is the outcome of the worker's case, or of the evaluation (0 or
 * -errno). */
void worker_jobs_keep_failed_load(struct worker *worker, const struct outcome *outcome);
int worker_jobs_report_load(struct worker *worker, const struct outcome *outcome);

/* Fill in what the case's job gave. True: it ended well. */
bool worker_jobs_ran(struct worker *worker, const struct outcome *outcome);
void worker_jobs_expected(struct worker *worker, const struct outcome *outcome);

#endif
