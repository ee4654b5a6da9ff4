/* evaluation.h - judging a submission, for the files that its functions are
 * grouped by alone.
 *
 * Workers run the submission: each has a sandbox, loads the code once and serves
 * case after case from forks of that (sandbox_fork.c), or, where a fork would not
 * be the same thing, from a fresh sandbox a case. What a case returned or printed
 * comes out as data. Verdicts are made in another sandbox, which never runs the
 * submission: expected values are known there alone. An output that only the
 * submission's names can express is the exception: it is given to the case's own
 * process, when its call is over. */
#ifndef VIVARIUM_EVALUATION_H
#define VIVARIUM_EVALUATION_H

#include <stdbool.h>

#include "common/buffer.h"
#include "executor/executor.h"
#include "common/fields.h"
#include "common/job.h"
#include "executor/server/request.h"
#include "executor/run/run.h"

enum { WORKERS_MAX = 64 };

enum judged_progress { CASE_WAITS, CASE_RUNS, CASE_RAN, CASE_IS_COMPARED, CASE_DONE };

/* One case. */
struct judged {
	struct field_view asked; /* its list in the call */
	enum judged_progress progress;
	bool calls;              /* a call with arguments; else a program with stdin */
	bool needs_names;        /* its output, of the submission */
	struct outcome outcome;
	struct buffer exception; /* what of the report is passed on: the outcome's report */
	struct buffer got;       /* for the comparison: DATA, REPR, EXPECTED_DATA, EQUAL */
	struct buffer printed;
	struct buffer verdict;   /* PASSED, GOT, EXPECTED, MESSAGE */
};

enum worker_phase {
	WORKER_CLOSED,
	WORKER_WAITS,       /* for a sandbox */
	WORKER_WANTS_FILES, /* the session's, from the application */
	WORKER_LOADS,
	WORKER_FORKS,
	WORKER_RUNS,
	WORKER_EXPECTS,     /* the output is evaluated where the call was */
	WORKER_JOINS,
};

struct worker {
	struct evaluation *evaluation;
	enum worker_phase phase;
	struct waiter waiter;
	bool granted; /* it has a running place */
	uint64_t granted_us;
	struct sandbox *sandbox;
	struct run *run;
	struct judged *judged; /* the case it is at */
	bool offered; /* the application puts files into this sandbox */
	bool loaded;
	bool fresh; /* no fork would be the same: a sandbox for each case */
};

/* The sandbox that prepares and compares. */
struct verdicts {
	struct evaluation *evaluation;
	struct waiter waiter;
	struct sandbox *sandbox;
	struct run *run;
	struct judged **batch; /* what its job is about */
	size_t batch_length;
	size_t batch_most; /* 1 after a failure, to find the one case that made it */
	size_t prepared;   /* cases that have been looked at */
};

struct evaluation {
	struct executor *executor;
	struct call *call;
	struct limits limits; /* of each case */
	uint32_t flags;       /* enum mailbox_flag */
	bool wants_files;
	struct worker *offered; /* the worker whose files are being put in */
	struct loop_timer deadline;
	struct loop_timer finish; /* the answer is given from the loop, not from inside a part */
	struct loop_timer retry;  /* no place was free in the midst of it */
	bool has_loaded;          /* in some worker: the code is not what fails */
	struct buffer load;       /* the outcome of loading, if that failed */
	enum refusal refusal;     /* REFUSAL_COUNT: none */
	struct worker workers[WORKERS_MAX];
	struct verdicts verdicts;
	size_t display_bytes;     /* of each text of a result */
	size_t got_bytes;         /* waiting to be compared */
	struct judged *cases;
	size_t count;
};

/* -- evaluate.c -- */

/* Give the answer, in a moment. */
void evaluation_finish(struct evaluation *evaluation);

/* -- evaluation.c -- */

/* All outputs have been looked at. */
void evaluation_prepared(struct evaluation *evaluation);
/* The next case for a worker, now its; NULL if there is none for it now. */
struct judged *evaluation_take(struct evaluation *evaluation, bool loaded);
/* The worker's case is over, its figures and data are filled in. */
void evaluation_ran(struct evaluation *evaluation, struct judged *judged);
/* Cases have become CASE_DONE, or workers have closed: go on, or come to an end. */
void evaluation_go_on(struct evaluation *evaluation);
/* Should the worker, between two cases, make room for somebody else? */
bool evaluation_can_spare(const struct evaluation *evaluation, const struct worker *worker);
/* The submission does not load. The outcome is copied. */
void evaluation_load_failed(struct evaluation *evaluation, const struct outcome *outcome);
/* No sandbox was free. */
void evaluation_refused(struct evaluation *evaluation, enum refusal refusal);
/* Offer the files to the next worker that wants them. */
void evaluation_offer_files(struct evaluation *evaluation);

/* -- worker.c -- */

void worker_begin(struct worker *worker);
/* It has its files, or there is something to do again. */
void worker_go_on(struct worker *worker);
/* It waits for a sandbox no longer. */
void worker_withdraw(struct worker *worker);
void worker_close(struct worker *worker);

/* Its case is over; its sandbox tells it what happens from now on. */
void worker_leave_case(struct worker *worker);
void worker_own_sandbox(struct worker *worker);

/* -- worker_run.c -- */

void worker_load(struct worker *worker);
void worker_begin_case(struct worker *worker);
/* The outcome of a case for which the fault is ours. */
struct outcome worker_failure(void);

/* -- verdicts.c -- */

/* 0 or -ENOMEM. */
int verdicts_begin(struct verdicts *verdicts, struct evaluation *evaluation);
/* Compare what has run, if nothing else is being done. */
void verdicts_go_on(struct verdicts *verdicts);
void verdicts_close(struct verdicts *verdicts);

#endif
