#include "executor/grading/evaluation.h"

#include <errno.h>
#include <unistd.h>

#include "common/log.h"

enum {
	RETRY_MS = 100,
	TURN_MS = 1000, /* an evaluation's only worker keeps its place so long at least */
};

typedef enum evaluation_state evaluation_action(struct evaluation *evaluation);

/* -- the session's files, one worker after the other --------------------------------- */

static struct worker *find_wanting(struct evaluation *evaluation)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (evaluation->workers[i].state == WORKER_WANTS_FILES)
			return &evaluation->workers[i];
	return NULL;
}

static void on_proceed(struct call *call)
{
	struct evaluation *evaluation = call->context;
	struct worker *worker = evaluation->offered;

	evaluation->offered = NULL;
	sandbox_settle_files(&evaluation->incoming);
	/* it may have lost its sandbox, and wait for another by now */
	if (worker && worker->offered && worker->state == WORKER_WANTS_FILES)
		worker_handle(worker, WORKER_FILES_PUT, NULL);
	evaluation_handle(evaluation, EVALUATION_CHANGED);
}

/* 0 or -errno. */
static int offer_files(struct evaluation *evaluation)
{
	struct worker *worker = evaluation->offered ? NULL : find_wanting(evaluation);
	struct call *call = evaluation->submission.call;

	if (!worker)
		return 0;
	int fd = sandbox_share_workspace(worker->sandbox, call_peer(call));
	int error = fd < 0 ? fd
			   : sandbox_admit_files(worker->sandbox, evaluation->submission.put_bytes,
						 &evaluation->incoming);
	if (error) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	evaluation->offered = worker;
	worker->offered = true;
	call->proceed = on_proceed;
	call_workspace(call, fd);
	close(fd);
	return 0;
}

/* -- workers --------------------------------------------------------------------------- */

/* More cases wait than workers that will take one in a moment; or the code alone is to
 * be looked at, and nobody does. */
static bool worker_is_missing(const struct evaluation *evaluation)
{
	const struct submission *submission = &evaluation->submission;
	size_t wanted = submission->count ? submission_waiting(submission) : 1;
	size_t takers = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		takers += evaluation->workers[i].state != WORKER_CLOSED &&
			  !evaluation->workers[i].judged;
	return wanted > takers && !submission_is_full(submission);
}

static void open_workers(struct evaluation *evaluation)
{
	size_t most = evaluation->submission.executor->options.evaluation_workers;

	for (size_t i = 0; i < most && i < WORKERS_MAX && worker_is_missing(evaluation); i++)
		if (evaluation->workers[i].state == WORKER_CLOSED)
			worker_handle(&evaluation->workers[i], WORKER_OPEN, NULL);
}

static bool some_worker_has_sandbox(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (evaluation->workers[i].sandbox)
			return true;
	return false;
}

/* Somebody else waits for a place, and one worker is enough to go on with; or this
 * one has had its turn. */
static bool should_yield(void *context, const struct worker *worker)
{
	const struct evaluation *evaluation = context;
	uint64_t ours = 0;
	bool spare = loop_now_us() - worker->granted_us > TURN_MS * 1000;

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		ours += evaluation->workers[i].waiter.waiting;
		spare |= &evaluation->workers[i] != worker && evaluation->workers[i].sandbox;
	}
	return spare && admission_queued(evaluation->submission.executor->admission) > ours;
}

static void on_worker_news(void *context, enum worker_news news)
{
	static const enum evaluation_event events[] = {
		[WORKER_CHANGED] = EVALUATION_CHANGED,
		[WORKER_LOAD_FAILED] = EVALUATION_LOAD_FAILED,
		[WORKER_BUSY] = EVALUATION_BUSY,
		[WORKER_BROKEN] = EVALUATION_REFUSED,
	};
	struct evaluation *evaluation = context;

	if (news == WORKER_BROKEN)
		evaluation->refusal = REFUSAL_INTERNAL;
	evaluation_handle(evaluation, events[news]);
}

static void on_comparer_news(void *context, enum comparer_news news)
{
	struct evaluation *evaluation = context;

	if (news == COMPARER_REFUSED)
		evaluation->refusal = REFUSAL_BUSY;
	evaluation_handle(evaluation,
			  news == COMPARER_REFUSED ? EVALUATION_REFUSED : EVALUATION_CHANGED);
}

/* -- the end ---------------------------------------------------------------------------- */

static void on_finish(struct loop_timer *timer)
{
	struct evaluation *evaluation = LOOP_OWNER(timer, struct evaluation, finish);

	evaluation->finished(evaluation);
}

/* The place that one leaves must not be given to another, which would begin. */
static void close_all(struct evaluation *evaluation)
{
	struct loop *loop = evaluation->submission.executor->loop;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_withdraw(&evaluation->workers[i]);
	comparer_handle(&evaluation->comparer, COMPARER_CLOSE, NULL);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_handle(&evaluation->workers[i], WORKER_CLOSE, NULL);
	sandbox_settle_files(&evaluation->incoming);
	loop_clear_timer(loop, &evaluation->deadline);
	loop_clear_timer(loop, &evaluation->retry);
}

static enum evaluation_state end(struct evaluation *evaluation)
{
	close_all(evaluation);
	if (loop_set_timer(evaluation->submission.executor->loop, &evaluation->finish,
			   loop_now_us(), on_finish))
		log_error("no memory to finish an evaluation");
	return EVALUATION_ENDS;
}

/* -- actions ------------------------------------------------------------------------------ */

static void on_retry(struct loop_timer *timer)
{
	evaluation_handle(LOOP_OWNER(timer, struct evaluation, retry), EVALUATION_RETRY);
}

static void on_deadline(struct loop_timer *timer)
{
	evaluation_handle(LOOP_OWNER(timer, struct evaluation, deadline), EVALUATION_DEADLINE);
}

static enum evaluation_state work(struct evaluation *evaluation)
{
	if (submission_is_done(&evaluation->submission))
		return end(evaluation);
	int error = offer_files(evaluation);
	if (error) {
		evaluation->refusal = error == -EDQUOT   ? REFUSAL_FILES_FULL
				      : error == -ENOSPC ? REFUSAL_SANDBOX_FULL
							 : REFUSAL_INTERNAL;
		return end(evaluation);
	}
	if (evaluation->submission.count)
		comparer_handle(&evaluation->comparer, COMPARER_WORK, NULL);
	open_workers(evaluation);
	return EVALUATION_WORKS;
}

static enum evaluation_state prepare(struct evaluation *evaluation)
{
	return comparer_has_prepared(&evaluation->comparer) ? work(evaluation)
							    : EVALUATION_PREPARES;
}

/* What still runs has its answer all the same. */
static enum evaluation_state look(struct evaluation *evaluation)
{
	if (submission_is_done(&evaluation->submission))
		return end(evaluation);
	if (evaluation->submission.count)
		comparer_handle(&evaluation->comparer, COMPARER_WORK, NULL);
	return EVALUATION_PAUSES;
}

static enum evaluation_state stay(struct evaluation *evaluation)
{
	return evaluation->state;
}

/* Where others work they will do, and what has begun is not given up for want of a
 * place: the deadline ends that. */
static enum evaluation_state pause_or_refuse(struct evaluation *evaluation)
{
	struct loop *loop = evaluation->submission.executor->loop;

	if (some_worker_has_sandbox(evaluation))
		return EVALUATION_WORKS;
	if (submission_has_begun(&evaluation->submission) &&
	    !loop_set_timer(loop, &evaluation->retry, loop_now_us() + RETRY_MS * 1000, on_retry))
		return EVALUATION_PAUSES;
	evaluation->refusal = REFUSAL_BUSY;
	return end(evaluation);
}

static enum evaluation_state run_out_of_time(struct evaluation *evaluation)
{
	submission_out_of_time(&evaluation->submission);
	return end(evaluation);
}

/* -- the machine --------------------------------------------------------------------------- */

/* What is not here cannot happen. In ENDS a worker that was closed in the midst of an
 * event may still have its news. */
static evaluation_action *const actions[EVALUATION_STATES][EVALUATION_EVENTS] = {
	[EVALUATION_PREPARES] = { [EVALUATION_CHANGED] = prepare,
				  [EVALUATION_REFUSED] = end,
				  [EVALUATION_DEADLINE] = run_out_of_time },
	[EVALUATION_WORKS] = { [EVALUATION_CHANGED] = work,
			       [EVALUATION_BUSY] = pause_or_refuse,
			       [EVALUATION_REFUSED] = end,
			       [EVALUATION_LOAD_FAILED] = end,
			       [EVALUATION_DEADLINE] = run_out_of_time },
	[EVALUATION_PAUSES] = { [EVALUATION_CHANGED] = look,
				[EVALUATION_BUSY] = stay,
				[EVALUATION_REFUSED] = end,
				[EVALUATION_LOAD_FAILED] = end,
				[EVALUATION_RETRY] = work,
				[EVALUATION_DEADLINE] = run_out_of_time },
	[EVALUATION_ENDS] = { [EVALUATION_CHANGED] = stay,
			      [EVALUATION_BUSY] = stay,
			      [EVALUATION_REFUSED] = stay,
			      [EVALUATION_LOAD_FAILED] = stay },
};

static const char *const state_names[EVALUATION_STATES] = {
	[EVALUATION_PREPARES] = "prepares",
	[EVALUATION_WORKS] = "works",
	[EVALUATION_PAUSES] = "pauses",
	[EVALUATION_ENDS] = "ends",
};

static const char *const event_names[EVALUATION_EVENTS] = {
	[EVALUATION_CHANGED] = "changed", [EVALUATION_BUSY] = "busy",
	[EVALUATION_REFUSED] = "refused", [EVALUATION_LOAD_FAILED] = "load failed",
	[EVALUATION_RETRY] = "retry",     [EVALUATION_DEADLINE] = "deadline",
};

static enum evaluation_state impossible(struct evaluation *evaluation, enum evaluation_event event)
{
	log_error("an evaluation that %s cannot be told \"%s\": it ends",
		  state_names[evaluation->state], event_names[event]);
	if (evaluation->state == EVALUATION_ENDS)
		return EVALUATION_ENDS;
	evaluation->refusal = REFUSAL_INTERNAL;
	return end(evaluation);
}

static void handle_one(struct evaluation *evaluation, enum evaluation_event event)
{
	evaluation_action *action = actions[evaluation->state][event];

	evaluation->state = action ? action(evaluation) : impossible(evaluation, event);
}

/* Actions make news themselves: it is looked at when the action is over. */
void evaluation_handle(struct evaluation *evaluation, enum evaluation_event event)
{
	evaluation->waiting_events |= 1U << event;
	if (evaluation->handling)
		return;
	evaluation->handling = true;
	while (evaluation->waiting_events) {
		enum evaluation_event next =
			(enum evaluation_event)__builtin_ctz(evaluation->waiting_events);

		evaluation->waiting_events &= ~(1U << next);
		handle_one(evaluation, next);
	}
	evaluation->handling = false;
}

/* -- in and out ------------------------------------------------------------------------------ */

int evaluation_begin(struct evaluation *evaluation, void (*finished)(struct evaluation *evaluation))
{
	struct submission *submission = &evaluation->submission;
	struct executor *executor = submission->executor;
	const struct worker_owner worker_owner = { .news = on_worker_news,
						   .should_yield = should_yield,
						   .context = evaluation };
	const struct comparer_owner comparer_owner = { .news = on_comparer_news,
						       .context = evaluation };

	evaluation->finished = finished;
	evaluation->refusal = REFUSAL_COUNT;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_init(&evaluation->workers[i], submission, &worker_owner);
	comparer_init(&evaluation->comparer, submission, &comparer_owner);
	int error =
		loop_set_timer(executor->loop, &evaluation->deadline,
			       loop_now_us() + executor->options.evaluation_ms * 1000, on_deadline);
	if (error)
		return error;
	if (submission->count)
		comparer_handle(&evaluation->comparer, COMPARER_OPEN, NULL);
	else
		evaluation_handle(evaluation, EVALUATION_CHANGED);
	return 0;
}

void evaluation_close(struct evaluation *evaluation)
{
	if (!evaluation->finished) /* it has never begun */
		return;
	evaluation->state = EVALUATION_ENDS;
	close_all(evaluation);
	loop_clear_timer(evaluation->submission.executor->loop, &evaluation->finish);
}
