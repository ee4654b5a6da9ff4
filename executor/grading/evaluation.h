/* evaluation.h - judging a submission: which workers there should be, and when it is
 * over. The way of a case:
 *
 *   evaluate_calls.c  the call in, the answer out
 *   submission.c      the code, its cases, what has become of them
 *   evaluation.c      opens workers, ends it all            (states below)
 *     comparer.c      verdicts, in a sandbox without the submission   (states there)
 *     worker.c        runs cases, one after the other       (states there)
 *       worker_jobs.c what a worker's sandbox is given, what its reports say
 *
 * Calls go down; what happens below is told as news, when it is over.
 *
 *               CHANGED: all outputs           CHANGED: a case was done, or a
 *               looked at                      worker closed: open what is missing
 *   PREPARES -----------------------> WORKS <--+
 *      |                               |  ^    |
 *      |               BUSY, none works|  | RETRY
 *      |                               v  |
 *      |                              PAUSES
 *      |  REFUSED, LOAD_FAILED, DEADLINE, or all cases done
 *      +------------------------------> ENDS ---> finished(), from the loop
 */
#ifndef VIVARIUM_EVALUATION_H
#define VIVARIUM_EVALUATION_H

#include "executor/grading/comparer.h"
#include "executor/grading/worker.h"

enum { WORKERS_MAX = 64 };

enum evaluation_state {
	EVALUATION_PREPARES, /* outputs are looked at, before anything runs */
	EVALUATION_WORKS,
	EVALUATION_PAUSES,   /* no place was free in the midst of it */
	EVALUATION_ENDS,     /* all is closed, the answer is due */
	EVALUATION_STATES,
};

enum evaluation_event {
	EVALUATION_CHANGED,     /* cases have run or been compared, a worker has closed */
	EVALUATION_BUSY,        /* a worker got no place */
	EVALUATION_REFUSED,     /* it cannot go on: `refusal` says why */
	EVALUATION_LOAD_FAILED, /* the code does */
	EVALUATION_RETRY,
	EVALUATION_DEADLINE,
	EVALUATION_EVENTS,
};

struct evaluation {
	struct submission submission;
	enum evaluation_state state;
	bool handling;             /* news that comes meanwhile waits */
	unsigned waiting_events;   /* a bit each */
	struct worker workers[WORKERS_MAX];
	struct comparer comparer;
	struct worker *offered;    /* the worker whose files are being put in */
	struct incoming incoming;
	struct loop_timer deadline;
	struct loop_timer finish;  /* the answer is given from the loop, not from inside a part */
	struct loop_timer retry;
	enum refusal refusal;      /* REFUSAL_COUNT: none */
	void (*finished)(struct evaluation *evaluation);
};

/* Begin with what submission_read() has filled in. finished() is called once,
 * from the loop, when every sandbox has been killed; evaluation_close() is then
 * the caller's. 0 or -errno. */
int evaluation_begin(struct evaluation *evaluation,
		     void (*finished)(struct evaluation *evaluation));

/* Stop at any moment; the submission is the caller's to reset. */
void evaluation_close(struct evaluation *evaluation);

void evaluation_handle(struct evaluation *evaluation, enum evaluation_event event);

#endif
