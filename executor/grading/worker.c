#include "executor/grading/worker.h"

#include "common/log.h"
#include "executor/server/server.h"

typedef enum worker_state worker_action(struct worker *worker, const void *detail);

/* -- its sandbox ---------------------------------------------------------------------- */

static void drop_sandbox(struct worker *worker)
{
	run_free(worker->run);
	worker->run = NULL;
	if (worker->sandbox)
		sandbox_kill(worker->sandbox);
	worker->sandbox = NULL;
	worker->loaded = worker->offered = false;
	if (!worker->granted)
		return;
	worker->granted = false; /* first: who gets the place may end this evaluation */
	admission_leave(worker->submission->executor->admission, &worker->waiter);
}

static enum worker_state close_with(struct worker *worker, enum worker_news news)
{
	worker->judged = NULL;
	drop_sandbox(worker);
	worker->news = news;
	return WORKER_CLOSED; /* it is opened again when there is a case for it */
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	(void)sandbox;
	worker_handle(context, WORKER_IDLE, NULL);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	(void)sandbox;
	worker_handle(context, WORKER_LOST, NULL);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)sandbox;
	(void)status;
	worker_handle(context, WORKER_LOST, NULL);
}

static void own_sandbox(struct worker *worker)
{
	sandbox_set_owner(worker->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								    .died = on_died,
								    .failed = on_failed,
								    .context = worker });
}

static void end_run(struct worker *worker)
{
	run_free(worker->run);
	worker->run = NULL;
	own_sandbox(worker);
}

/* -- its jobs ------------------------------------------------------------------------- */

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct worker *worker = context;

	if (stream == SANDBOX_STDOUT && worker->state == WORKER_RUNS)
		(void)buffer_append(&worker->judged->printed, bytes, length);
}

static void on_finished(void *context, const struct outcome *outcome)
{
	worker_handle(context, WORKER_ENDED, outcome);
}

/* -- steps: what each starts, and the state that it leads to ----------------------------- */

/* The case is over; what it left is not to be met by the next. */
static enum worker_state leave_case(struct worker *worker)
{
	struct judged *judged = worker->judged;

	worker->judged = NULL;
	worker->news = WORKER_CHANGED;
	submission_case_ran(worker->submission, judged);
	if (worker->fresh || judged->outcome.state == STATE_LOST || sandbox_join(worker->sandbox))
		return close_with(worker, WORKER_CHANGED);
	return WORKER_JOINS;
}

static enum worker_state fail_case(struct worker *worker)
{
	worker->judged->outcome = worker_jobs_failure();
	return leave_case(worker);
}

static enum worker_state load(struct worker *worker)
{
	const struct outcome failure = worker_jobs_failure();

	if (!worker_jobs_load(worker))
		return WORKER_LOADS;
	return close_with(worker, submission_load_failed(worker->submission, &failure)
					  ? WORKER_BROKEN
					  : WORKER_LOAD_FAILED);
}

static enum worker_state run_case(struct worker *worker)
{
	sandbox_reset_peak(worker->sandbox);
	if (!worker_jobs_run(worker))
		return WORKER_RUNS;
	own_sandbox(worker);
	return fail_case(worker);
}

static enum worker_state fork_case(struct worker *worker, bool is_alone)
{
	if (!worker->fresh && !is_alone && !sandbox_is_alone(worker->sandbox))
		worker->fresh = true;
	if (worker->fresh || sandbox_fork(worker->sandbox))
		return run_case(worker);
	return WORKER_FORKS;
}

/* `is_alone`: that has just been seen. */
static enum worker_state next_step(struct worker *worker, bool is_alone)
{
	struct submission *submission = worker->submission;

	if (!worker->judged)
		worker->judged = submission_take(submission, worker->loaded);
	if (!worker->judged && (submission->count || worker->loaded))
		return close_with(worker, WORKER_CHANGED);
	if (!worker->loaded && (!worker->judged || worker->judged->calls))
		return load(worker);
	return fork_case(worker, is_alone);
}

/* -- waiting for a sandbox ------------------------------------------------------------- */

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	worker_handle(LOOP_OWNER(waiter, struct worker, waiter), WORKER_GRANTED, sandbox);
}

static void on_expired(struct waiter *waiter)
{
	worker_handle(LOOP_OWNER(waiter, struct worker, waiter), WORKER_EXPIRED, NULL);
}

/* It may be granted before admission_enter() returns: then the state is that one's. */
static enum worker_state open(struct worker *worker, const void *detail)
{
	const struct field_view client = req_optional(worker->submission->call, FIELD_CLIENT);

	(void)detail;
	worker->state = WORKER_WAITS;
	worker->waiter = (struct waiter){
		.pool = environment_pool(worker->submission->environment),
		.client = (const char *)client.value,
		.client_length = client.length,
		.runs = true,
		.granted = on_granted,
		.expired = on_expired,
	};
	if (admission_enter(worker->submission->executor->admission, &worker->waiter))
		return close_with(worker, WORKER_BUSY);
	return worker->state;
}

static enum worker_state take_sandbox(struct worker *worker, const void *detail)
{
	worker->granted = true;
	worker->granted_us = loop_now_us();
	worker->sandbox = (struct sandbox *)(uintptr_t)detail;
	own_sandbox(worker);
	if (sandbox_limit(worker->sandbox, &worker->submission->limits))
		return close_with(worker, WORKER_BROKEN);
	if (!worker->submission->wants_files)
		return next_step(worker, false);
	worker->news = WORKER_CHANGED;
	return WORKER_WANTS_FILES;
}

static enum worker_state give_up_waiting(struct worker *worker, const void *detail)
{
	(void)detail;
	return close_with(worker, WORKER_BUSY);
}

/* Cases that leave these files alone can be forks of one loaded submission. */
static enum worker_state take_files(struct worker *worker, const void *detail)
{
	(void)detail;
	sandbox_keep_workspace(worker->sandbox);
	return next_step(worker, false);
}

/* -- what a job left ------------------------------------------------------------------- */

static enum worker_state on_loaded(struct worker *worker, const void *detail)
{
	struct outcome outcome;
	struct submission *submission = worker->submission;

	if (worker_jobs_loaded(worker, detail, &outcome)) {
		end_run(worker);
		worker->loaded = submission->has_loaded = true;
		return next_step(worker, false);
	}
	if (submission->has_loaded && worker->judged) { /* it fails one case only */
		worker_jobs_keep_failed_load(worker, &outcome);
		end_run(worker);
		return leave_case(worker);
	}
	return close_with(worker, worker_jobs_report_load(worker, &outcome) ? WORKER_BROKEN
									    : WORKER_LOAD_FAILED);
}

static enum worker_state on_ran(struct worker *worker, const void *detail)
{
	bool well = worker_jobs_ran(worker, detail);

	end_run(worker);
	if (!well || !worker->judged->needs_names)
		return leave_case(worker);
	return worker_jobs_expect(worker) ? fail_case(worker) : WORKER_EXPECTS;
}

static enum worker_state on_expected(struct worker *worker, const void *detail)
{
	worker_jobs_expected(worker, detail);
	end_run(worker);
	return leave_case(worker);
}

static enum worker_state on_forked(struct worker *worker, const void *detail)
{
	(void)detail;
	if (sandbox_is_forked(worker->sandbox) && sandbox_fork_is_marked(worker->sandbox)) {
		worker->judged->progress = CASE_WAITS;
		return close_with(worker, WORKER_CHANGED);
	}
	worker->fresh = !sandbox_is_forked(worker->sandbox);
	return run_case(worker);
}

static enum worker_state on_joined(struct worker *worker, const void *detail)
{
	(void)detail;
	if (!sandbox_is_alone(worker->sandbox) || /* files, or a trace of them */
	    worker->owner.should_yield(worker->owner.context, worker))
		return close_with(worker, WORKER_CHANGED);
	return next_step(worker, true);
}

static enum worker_state on_lost(struct worker *worker, const void *detail)
{
	struct judged *judged = worker->judged;

	(void)detail;
	if (judged) {
		judged->outcome = worker_jobs_failure();
		submission_case_ran(worker->submission, judged);
	}
	return close_with(worker, WORKER_CHANGED);
}

static enum worker_state shut(struct worker *worker, const void *detail)
{
	(void)detail;
	worker_withdraw(worker);
	return close_with(worker, WORKER_NO_NEWS);
}

/* -- the machine ------------------------------------------------------------------------ */

/* What is not here cannot happen. */
static worker_action *const actions[WORKER_STATES][WORKER_EVENTS] = {
	[WORKER_CLOSED] = { [WORKER_OPEN] = open, [WORKER_CLOSE] = shut },
	[WORKER_WAITS] = { [WORKER_GRANTED] = take_sandbox,
			   [WORKER_EXPIRED] = give_up_waiting,
			   [WORKER_CLOSE] = shut },
	[WORKER_WANTS_FILES] = { [WORKER_FILES_PUT] = take_files,
				 [WORKER_LOST] = on_lost,
				 [WORKER_CLOSE] = shut },
	[WORKER_LOADS] = { [WORKER_ENDED] = on_loaded, [WORKER_CLOSE] = shut },
	[WORKER_FORKS] = { [WORKER_IDLE] = on_forked,
			   [WORKER_LOST] = on_lost,
			   [WORKER_CLOSE] = shut },
	[WORKER_RUNS] = { [WORKER_ENDED] = on_ran, [WORKER_CLOSE] = shut },
	[WORKER_EXPECTS] = { [WORKER_ENDED] = on_expected, [WORKER_CLOSE] = shut },
	[WORKER_JOINS] = { [WORKER_IDLE] = on_joined,
			   [WORKER_LOST] = on_lost,
			   [WORKER_CLOSE] = shut },
};

static const char *const state_names[WORKER_STATES] = {
	[WORKER_CLOSED] = "closed",
	[WORKER_WAITS] = "waits",
	[WORKER_WANTS_FILES] = "wants files",
	[WORKER_LOADS] = "loads",
	[WORKER_FORKS] = "forks",
	[WORKER_RUNS] = "runs",
	[WORKER_EXPECTS] = "expects",
	[WORKER_JOINS] = "joins",
};

static const char *const event_names[WORKER_EVENTS] = {
	[WORKER_OPEN] = "open",       [WORKER_GRANTED] = "granted",
	[WORKER_EXPIRED] = "expired", [WORKER_FILES_PUT] = "files put",
	[WORKER_IDLE] = "idle",       [WORKER_ENDED] = "ended",
	[WORKER_LOST] = "lost",       [WORKER_CLOSE] = "close",
};

static enum worker_state impossible(struct worker *worker, enum worker_event event)
{
	log_error("evaluation: a worker that %s cannot be told \"%s\": its sandbox ends",
		  state_names[worker->state], event_names[event]);
	worker_withdraw(worker);
	return on_lost(worker, NULL);
}

void worker_handle(struct worker *worker, enum worker_event event, const void *detail)
{
	worker_action *action = actions[worker->state][event];

	worker->state = action ? action(worker, detail) : impossible(worker, event);
	enum worker_news news = worker->news;
	worker->news = WORKER_NO_NEWS;
	if (news != WORKER_NO_NEWS) /* last: the evaluation may close it now */
		worker->owner.news(worker->owner.context, news);
}

void worker_init(struct worker *worker, struct submission *submission,
		 const struct worker_owner *owner)
{
	*worker = (struct worker){
		.submission = submission,
		.owner = *owner,
		.job_owner = { .output = on_output, .finished = on_finished, .context = worker }
	};
}

void worker_withdraw(struct worker *worker)
{
	admission_withdraw(worker->submission->executor->admission, &worker->waiter);
}
