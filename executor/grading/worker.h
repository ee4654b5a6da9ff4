/* worker.h - one of an evaluation's workers: a sandbox that runs the submission.
 *
 * It loads the code once and serves case after case from forks of what that left,
 * or, where a fork would not be the same as loading afresh, from a new sandbox a
 * case. A state machine; impossible events end its sandbox:
 *
 *              OPEN            GRANTED                  FILES_PUT
 *     CLOSED --------> WAITS ------------> WANTS_FILES -----------+
 *        ^               |  (no files)                            |
 *        |               +-----------------> next step <----------+
 *        |                                      |
 *        |        no case left                  | code not loaded     ENDED
 *        +<-------------------------------------+-----------> LOADS -------> next step
 *        |                                      |
 *        |                                      | a case       IDLE
 *        |                                      +-----> FORKS ------> RUNS
 *        |   LOST, a trace of the case                                  | ENDED
 *        +<-------- JOINS <----------------------+------ EXPECTS <------+
 *                     | IDLE: next step           \_____ (needs names) _/
 */
#ifndef VIVARIUM_WORKER_H
#define VIVARIUM_WORKER_H

#include "executor/grading/submission.h"
#include "executor/run/run.h"

enum worker_state {
	WORKER_CLOSED,
	WORKER_WAITS,       /* for a sandbox */
	WORKER_WANTS_FILES, /* the session's, from the application */
	WORKER_LOADS,
	WORKER_FORKS,
	WORKER_RUNS,
	WORKER_EXPECTS,     /* the output is evaluated where the call was */
	WORKER_JOINS,       /* the fork is being killed */
	WORKER_STATES,
};

enum worker_event {
	WORKER_OPEN,      /* there are cases for it */
	WORKER_GRANTED,   /* + a sandbox */
	WORKER_EXPIRED,   /* it has waited for one too long */
	WORKER_FILES_PUT,
	WORKER_IDLE,      /* its sandbox's interpreter waits for a job */
	WORKER_ENDED,     /* its job has; + the outcome */
	WORKER_LOST,      /* its sandbox is of no use any more */
	WORKER_CLOSE,
	WORKER_EVENTS,
};

/* What the evaluation is told, once after an event, when the worker is in its
 * next state. */
enum worker_news {
	WORKER_NO_NEWS,
	WORKER_CHANGED,     /* a case has run, or it has closed */
	WORKER_LOAD_FAILED, /* the submission has the outcome */
	WORKER_BUSY,        /* there was no place for it; closed */
	WORKER_BROKEN,      /* our own machinery failed; closed */
};

struct worker;

struct worker_owner {
	void (*news)(void *context, enum worker_news news);
	/* Should it, between two cases, make room for somebody else? */
	bool (*should_yield)(void *context, const struct worker *worker);
	void *context;
};

struct worker {
	struct submission *submission;
	struct worker_owner owner;
	enum worker_state state;
	enum worker_news news;   /* to be told after this event */
	struct waiter waiter;
	bool granted;            /* it has a running place */
	uint64_t granted_us;
	struct sandbox *sandbox;
	struct run *run;
	struct run_owner job_owner; /* of the run */
	struct judged *judged;   /* the case it is at */
	bool loaded;
	bool fresh;              /* no fork would be the same: a sandbox for each case */
	bool offered;            /* the application puts files into this sandbox */
};

/* Ready to be opened. */
void worker_init(struct worker *worker, struct submission *submission,
		 const struct worker_owner *owner);

/* WORKER_OPEN, WORKER_FILES_PUT and WORKER_CLOSE are the evaluation's to send;
 * the detail is a struct sandbox *, a const struct outcome *, or NULL. */
void worker_handle(struct worker *worker, enum worker_event event, const void *detail);

/* Wait for a sandbox no longer: before several are closed, so that the place of
 * one is not given to the next. */
void worker_withdraw(struct worker *worker);

/* -- worker_jobs.c: what a worker runs, and what the reports say -------------------------
 *
 * The loading, a case, an output that needs the submission's names. Beneath the worker's
 * machine: it starts jobs and fills in the case, and decides nothing. */

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
