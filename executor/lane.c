/* A lane of an evaluation: one case at a time, in a sandbox that is its own for as
 * long as cases leave it as it was. */
#include <string.h>

#include "evaluation.h"

static void drop_sandbox(struct lane *lane)
{
	struct admission *admission = lane->evaluation->executor->admission;

	run_free(lane->run);
	lane->run = NULL;
	if (lane->sandbox)
		sandbox_kill(lane->sandbox);
	lane->sandbox = NULL;
	lane->loaded = lane->offered = false;
	if (lane->granted)
		admission_leave(admission);
	lane->granted = false;
}

/* What the last case left is not to be met by the next. */
static void renew(struct lane *lane)
{
	drop_sandbox(lane);
	lane->phase = LANE_CLOSED; /* opened again when there is a case for it */
}

/* The case is over; its sandbox, or its process, is. */
void lane_leave_case(struct lane *lane)
{
	struct judged *judged = lane->judged;

	lane->judged = NULL;
	if (lane->fresh || judged->outcome.state == STATE_LOST || sandbox_join(lane->sandbox))
		renew(lane);
	else
		lane->phase = LANE_JOINS;
	evaluation_ran(lane->evaluation, judged);
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct lane *lane = context;

	if (lane->phase == LANE_FORKS && sandbox_is_forked(sandbox) &&
	    sandbox_fork_is_marked(sandbox)) {
		lane->judged->progress = CASE_WAITS;
		lane->judged = NULL;
		renew(lane);
		evaluation_go_on(lane->evaluation);
	} else if (lane->phase == LANE_FORKS) {
		lane->fresh = !sandbox_is_forked(sandbox);
		lane_begin_case(lane);
	} else if (lane->phase == LANE_JOINS) {
		if (sandbox_is_alone(sandbox)) {
			lane_go_on(lane);
		} else { /* files, or a trace of them */
			renew(lane);
			evaluation_go_on(lane->evaluation);
		}
	}
}

static void on_lost(void *context, struct sandbox *sandbox)
{
	struct lane *lane = context;
	struct judged *judged = lane->judged;

	(void)sandbox;
	if (judged)
		lane->judged->outcome = lane_failure();
	lane->judged = NULL;
	renew(lane);
	if (judged)
		evaluation_ran(lane->evaluation, judged);
	else
		evaluation_go_on(lane->evaluation);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	on_lost(context, sandbox);
}

void lane_own_sandbox(struct lane *lane)
{
	sandbox_set_owner(lane->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								  .died = on_died,
								  .failed = on_lost,
								  .context = lane });
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct lane *lane = LOOP_OWNER(waiter, struct lane, waiter);

	lane->granted = true;
	lane->granted_us = loop_now_us();
	lane->sandbox = sandbox;
	lane_own_sandbox(lane);
	if (sandbox_limit(sandbox, &lane->evaluation->limits)) {
		evaluation_refused(lane->evaluation, REFUSAL_INTERNAL);
	} else if (lane->evaluation->wants_files) {
		lane->phase = LANE_WANTS_FILES;
		evaluation_offer_files(lane->evaluation);
	} else {
		lane_go_on(lane);
	}
}

static void on_expired(struct waiter *waiter)
{
	struct lane *lane = LOOP_OWNER(waiter, struct lane, waiter);

	lane->phase = LANE_CLOSED;
	evaluation_refused(lane->evaluation, REFUSAL_BUSY);
}

void lane_begin(struct lane *lane)
{
	lane->phase = LANE_WAITS;
	lane->waiter = (struct waiter){
		.needs_sandbox = true, .runs = true, .granted = on_granted, .expired = on_expired
	};
	if (admission_enter(lane->evaluation->executor->admission, &lane->waiter))
		on_expired(&lane->waiter);
}

static void begin_fork(struct lane *lane)
{
	if (!lane->fresh && !sandbox_is_alone(lane->sandbox))
		lane->fresh = true;
	lane->phase = LANE_FORKS;
	if (lane->fresh || sandbox_fork(lane->sandbox))
		lane_begin_case(lane);
}

void lane_go_on(struct lane *lane)
{
	struct evaluation *evaluation = lane->evaluation;

	if (lane->phase == LANE_JOINS && evaluation_can_spare(evaluation, lane)) {
		lane_close(lane);
		evaluation_go_on(evaluation); /* it waits in order for another place */
		return;
	}
	if (!lane->judged)
		lane->judged = evaluation_take(evaluation, lane->loaded);
	if (!lane->judged && (evaluation->count || lane->loaded)) {
		lane_close(lane);
		evaluation_go_on(evaluation);
	} else if (!lane->loaded && (!lane->judged || lane->judged->calls)) {
		lane_load(lane);
	} else {
		begin_fork(lane);
	}
}

void lane_withdraw(struct lane *lane)
{
	if (lane->evaluation)
		admission_withdraw(lane->evaluation->executor->admission, &lane->waiter);
}

void lane_close(struct lane *lane)
{
	if (!lane->evaluation)
		return;
	lane_withdraw(lane);
	drop_sandbox(lane);
	lane->judged = NULL;
	lane->phase = LANE_CLOSED;
}
