/* comparer.h - the sandbox in which verdicts are made.
 *
 * The submission never runs there, and expected values are known there alone. It
 * first says which outputs Python can evaluate without the submission's names,
 * then compares, batch by batch, what came out of the workers. A state machine;
 * impossible events end its sandbox:
 *
 *            OPEN           GRANTED                      ENDED: the next batch
 *   CLOSED --------> WAITS ---------> next batch ---+--> PREPARES ----------+
 *      ^               ^                 ^          |                        |
 *      | EXPIRED       | LOST, a batch   | WORK     +--> COMPARES -----------+
 *      +---------------+   that failed   |          |    ENDED: next batch   |
 *                      +-----------------+-- RESTS <+ nothing is due <-------+
 */
#ifndef VIVARIUM_COMPARER_H
#define VIVARIUM_COMPARER_H

#include "executor/grading/submission.h"
#include "executor/run/run.h"

enum comparer_state {
	COMPARER_CLOSED,
	COMPARER_WAITS, /* for a sandbox */
	COMPARER_RESTS, /* nothing is due */
	COMPARER_PREPARES,
	COMPARER_COMPARES,
	COMPARER_STATES,
};

enum comparer_event {
	COMPARER_OPEN,
	COMPARER_GRANTED, /* + a sandbox */
	COMPARER_EXPIRED, /* it has waited for one too long */
	COMPARER_WORK,    /* cases have run */
	COMPARER_ENDED,   /* its job has; + the outcome */
	COMPARER_LOST,    /* its sandbox is of no use any more */
	COMPARER_CLOSE,
	COMPARER_EVENTS,
};

/* What the evaluation is told, once after an event, when the comparer is in its
 * next state. */
enum comparer_news {
	COMPARER_NO_NEWS,
	COMPARER_CHANGED, /* a batch has been prepared or compared */
	COMPARER_REFUSED, /* there is no sandbox for it; closed */
};

struct comparer_owner {
	void (*news)(void *context, enum comparer_news news);
	void *context;
};

enum { COMPARER_BATCH_MAX = 64 };

struct comparer {
	struct submission *submission;
	struct comparer_owner owner;
	enum comparer_state state;
	enum comparer_news news; /* to be told after this event */
	struct waiter waiter;
	struct sandbox *sandbox;
	struct run *run;
	struct judged *batch[COMPARER_BATCH_MAX]; /* what its job is about */
	size_t batch_length;
	size_t batch_most; /* 1 after a failure, to find the one case that made it */
	size_t prepared;   /* cases that have been looked at */
};

/* Ready to be opened. */
void comparer_init(struct comparer *comparer, struct submission *submission,
		   const struct comparer_owner *owner);

/* COMPARER_OPEN, COMPARER_WORK and COMPARER_CLOSE are the evaluation's to send; the
 * detail is a struct sandbox *, a const struct outcome *, or NULL. */
void comparer_handle(struct comparer *comparer, enum comparer_event event, const void *detail);

/* Have all outputs been looked at? Workers begin then. */
bool comparer_has_prepared(const struct comparer *comparer);

#endif
