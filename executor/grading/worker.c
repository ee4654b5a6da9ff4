/* A worker of an evaluation: one case at a time, in a sandbox that is its own for as
 * long as cases leave it as it was. */
#include <string.h>

#include "executor/grading/evaluation.h"

static void drop_sandbox(struct worker *worker)
{
	struct admission *admission = worker->evaluation->executor->admission;

	run_free(worker->run);
	worker->run = NULL;
	if (worker->sandbox)
		sandbox_kill(worker->sandbox);
	worker->sandbox = NULL;
	worker->loaded = worker->offered = false;
	if (worker->granted)
		admission_leave(admission);
	worker->granted = false;
}

/* What the last case left is not to be met by the next. */
static void renew(struct worker *worker)
{
	drop_sandbox(worker);
	worker->phase = WORKER_CLOSED; /* opened again when there is a case for it */
}

/* The case is over; its sandbox, or its process, is. */
void worker_leave_case(struct worker *worker)
{
	struct judged *judged = worker->judged;

	worker->judged = NULL;
	if (worker->fresh || judged->outcome.state == STATE_LOST || sandbox_join(worker->sandbox))
		renew(worker);
	else
		worker->phase = WORKER_JOINS;
	evaluation_ran(worker->evaluation, judged);
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct worker *worker = context;

	if (worker->phase == WORKER_FORKS && sandbox_is_forked(sandbox) &&
	    sandbox_fork_is_marked(sandbox)) {
		worker->judged->progress = CASE_WAITS;
		worker->judged = NULL;
		renew(worker);
		evaluation_go_on(worker->evaluation);
	} else if (worker->phase == WORKER_FORKS) {
		worker->fresh = !sandbox_is_forked(sandbox);
		worker_begin_case(worker);
	} else if (worker->phase == WORKER_JOINS) {
		if (sandbox_is_alone(sandbox)) {
			worker_go_on(worker);
		} else { /* files, or a trace of them */
			renew(worker);
			evaluation_go_on(worker->evaluation);
		}
	}
}

static void on_lost(void *context, struct sandbox *sandbox)
{
	struct worker *worker = context;
	struct judged *judged = worker->judged;

	(void)sandbox;
	if (judged)
		worker->judged->outcome = worker_failure();
	worker->judged = NULL;
	renew(worker);
	if (judged)
		evaluation_ran(worker->evaluation, judged);
	else
		evaluation_go_on(worker->evaluation);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	on_lost(context, sandbox);
}

void worker_own_sandbox(struct worker *worker)
{
	sandbox_set_owner(worker->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								  .died = on_died,
								  .failed = on_lost,
								  .context = worker });
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct worker *worker = LOOP_OWNER(waiter, struct worker, waiter);

	worker->granted = true;
	worker->granted_us = loop_now_us();
	worker->sandbox = sandbox;
	worker_own_sandbox(worker);
	if (sandbox_limit(sandbox, &worker->evaluation->limits)) {
		evaluation_refused(worker->evaluation, REFUSAL_INTERNAL);
	} else if (worker->evaluation->wants_files) {
		worker->phase = WORKER_WANTS_FILES;
		evaluation_offer_files(worker->evaluation);
	} else {
		worker_go_on(worker);
	}
}

static void on_expired(struct waiter *waiter)
{
	struct worker *worker = LOOP_OWNER(waiter, struct worker, waiter);

	worker->phase = WORKER_CLOSED;
	evaluation_refused(worker->evaluation, REFUSAL_BUSY);
}

void worker_begin(struct worker *worker)
{
	worker->phase = WORKER_WAITS;
	worker->waiter = (struct waiter){
		.needs_sandbox = true, .runs = true, .granted = on_granted, .expired = on_expired
	};
	if (admission_enter(worker->evaluation->executor->admission, &worker->waiter))
		on_expired(&worker->waiter);
}

static void begin_fork(struct worker *worker)
{
	if (!worker->fresh && !sandbox_is_alone(worker->sandbox))
		worker->fresh = true;
	worker->phase = WORKER_FORKS;
	if (worker->fresh || sandbox_fork(worker->sandbox))
		worker_begin_case(worker);
}

void worker_go_on(struct worker *worker)
{
	struct evaluation *evaluation = worker->evaluation;

	if (worker->phase == WORKER_JOINS && evaluation_can_spare(evaluation, worker)) {
		worker_close(worker);
		evaluation_go_on(evaluation); /* it waits in order for another place */
		return;
	}
	if (!worker->judged)
		worker->judged = evaluation_take(evaluation, worker->loaded);
	if (!worker->judged && (evaluation->count || worker->loaded)) {
		worker_close(worker);
		evaluation_go_on(evaluation);
	} else if (!worker->loaded && (!worker->judged || worker->judged->calls)) {
		worker_load(worker);
	} else {
		begin_fork(worker);
	}
}

void worker_withdraw(struct worker *worker)
{
	if (worker->evaluation)
		admission_withdraw(worker->evaluation->executor->admission, &worker->waiter);
}

void worker_close(struct worker *worker)
{
	if (!worker->evaluation)
		return;
	worker_withdraw(worker);
	drop_sandbox(worker);
	worker->judged = NULL;
	worker->phase = WORKER_CLOSED;
}
