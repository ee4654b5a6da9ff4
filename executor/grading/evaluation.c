/* An evaluation while it runs: which case is next, how many workers there should be,
 * when it is over; the session's files for each worker. */
#include <unistd.h>

#include "executor/grading/evaluation.h"

enum {
	/* Workers wait while so much has not been compared. */
	GOT_BYTES_MOST = 32 << 20,
	RETRY_MS = 100,
	TURN_MS = 1000, /* an evaluation's only worker keeps its place so long at least */
};

/* -- what goes wrong -------------------------------------------------------------- */

static void on_retry(struct loop_timer *timer)
{
	evaluation_go_on(LOOP_OWNER(timer, struct evaluation, retry));
}

static bool has_worker_with_sandbox(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (evaluation->workers[i].sandbox)
			return true;
	return false;
}

static bool has_begun(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < evaluation->count; i++)
		if (evaluation->cases[i].progress >= CASE_RAN)
			return true;
	return evaluation->has_loaded;
}

/* Where others work they will do, and what has begun is not given up for want of a
 * place: the deadline ends that. */
void evaluation_refused(struct evaluation *evaluation, enum refusal refusal)
{
	struct loop *loop = evaluation->executor->loop;

	if (refusal == REFUSAL_BUSY && evaluation->verdicts.sandbox) {
		if (has_worker_with_sandbox(evaluation))
			return;
		if (has_begun(evaluation) &&
		    !loop_set_timer(loop, &evaluation->retry, loop_now_us() + RETRY_MS * 1000,
				    on_retry))
			return;
	}
	evaluation->refusal = refusal;
	evaluation_finish(evaluation);
}

void evaluation_load_failed(struct evaluation *evaluation, const struct outcome *outcome)
{
	if (!evaluation->load.length && outcome_put(outcome, &evaluation->load))
		evaluation->refusal = REFUSAL_INTERNAL;
	evaluation_finish(evaluation);
}

/* -- the cases -------------------------------------------------------------------- */

static struct judged *find_waiting(struct evaluation *evaluation, bool calls)
{
	for (size_t i = 0; i < evaluation->count; i++) {
		struct judged *judged = &evaluation->cases[i];

		if (judged->progress == CASE_WAITS && judged->calls == calls)
			return judged;
	}
	return NULL;
}

/* Programs with input come first: they want an interpreter in which nothing has
 * been loaded yet. */
struct judged *evaluation_take(struct evaluation *evaluation, bool loaded)
{
	struct judged *judged = loaded ? NULL : find_waiting(evaluation, false);

	if (evaluation->got_bytes > GOT_BYTES_MOST)
		return NULL;
	if (!judged)
		judged = find_waiting(evaluation, true);
	if (judged)
		judged->progress = CASE_RUNS;
	return judged;
}

void evaluation_ran(struct evaluation *evaluation, struct judged *judged)
{
	if (judged->calls) /* it is for show alone */
		buffer_shorten(&judged->printed, evaluation->display_bytes);
	judged->progress = CASE_RAN;
	evaluation->got_bytes += judged->got.length + judged->printed.length;
	verdicts_go_on(&evaluation->verdicts);
	evaluation_go_on(evaluation);
}

static bool is_done(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < evaluation->count; i++)
		if (evaluation->cases[i].progress != CASE_DONE)
			return false;
	/* without cases it is the code alone that is looked at */
	return evaluation->count || evaluation->workers[0].phase == WORKER_CLOSED;
}

/* More cases wait than workers that will take one in a moment. */
static bool worker_is_missing(const struct evaluation *evaluation)
{
	size_t waiting = 0, takers = 0;

	for (size_t i = 0; i < evaluation->count; i++)
		waiting += evaluation->cases[i].progress == CASE_WAITS;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		takers += evaluation->workers[i].phase != WORKER_CLOSED && !evaluation->workers[i].judged;
	return waiting > takers && evaluation->got_bytes <= GOT_BYTES_MOST;
}

/* Somebody else waits for a place, and one worker is enough to go on with; or this
 * one has had its turn. */
bool evaluation_can_spare(const struct evaluation *evaluation, const struct worker *worker)
{
	uint64_t ours = 0;
	bool spare = loop_now_us() - worker->granted_us > TURN_MS * 1000;

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		ours += evaluation->workers[i].waiter.waiting;
		spare |= &evaluation->workers[i] != worker && evaluation->workers[i].sandbox;
	}
	return spare && admission_queued(evaluation->executor->admission) > ours;
}

static void open_workers(struct evaluation *evaluation)
{
	size_t most = evaluation->executor->options.evaluation_workers;

	for (size_t i = 0; i < most && i < WORKERS_MAX && worker_is_missing(evaluation); i++) {
		struct worker *worker = &evaluation->workers[i];

		if (worker->phase != WORKER_CLOSED)
			continue;
		worker->evaluation = evaluation;
		worker_begin(worker);
	}
}

void evaluation_go_on(struct evaluation *evaluation)
{
	if (evaluation->finish.place || evaluation->retry.place)
		return;
	if (is_done(evaluation))
		evaluation_finish(evaluation);
	else if (evaluation->verdicts.prepared == evaluation->count)
		open_workers(evaluation);
}

void evaluation_prepared(struct evaluation *evaluation)
{
	struct worker *first = &evaluation->workers[0];

	if (!evaluation->count && !first->evaluation) {
		first->evaluation = evaluation;
		worker_begin(first);
	} else {
		evaluation_go_on(evaluation);
	}
}

/* -- the session's files ---------------------------------------------------------- */

static void on_proceed(struct call *call)
{
	struct evaluation *evaluation = call->context;
	struct worker *worker = evaluation->offered;

	evaluation->offered = NULL;
	if (worker && worker->offered && worker->phase == WORKER_WANTS_FILES)
		worker_go_on(worker);
	evaluation_offer_files(evaluation);
}

static struct worker *find_wanting(struct evaluation *evaluation)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (evaluation->workers[i].phase == WORKER_WANTS_FILES)
			return &evaluation->workers[i];
	return NULL;
}

void evaluation_offer_files(struct evaluation *evaluation)
{
	struct worker *worker = evaluation->offered ? NULL : find_wanting(evaluation);
	struct call *call = evaluation->call;

	if (!worker)
		return;
	int fd = sandbox_share_workspace(worker->sandbox, call_peer(call));
	if (fd < 0) {
		evaluation_refused(evaluation, REFUSAL_INTERNAL);
		return;
	}
	evaluation->offered = worker;
	worker->offered = true;
	call->proceed = on_proceed;
	call_workspace(call, fd);
	close(fd);
}
