/* An evaluation while it runs: which case is next, how many lanes there should be,
 * when it is over; the session's files for each lane. */
#include <unistd.h>

#include "evaluation.h"

enum {
	/* Lanes wait while so much has not been compared. */
	GOT_BYTES_MOST = 32 << 20,
	RETRY_MS = 100,
	TURN_MS = 1000, /* an evaluation's only lane keeps its place so long at least */
};

/* -- what goes wrong -------------------------------------------------------------- */

static void on_retry(struct loop_timer *timer)
{
	evaluation_go_on(LOOP_OWNER(timer, struct evaluation, retry));
}

static bool has_lane_with_sandbox(const struct evaluation *evaluation)
{
	for (size_t i = 0; i < LANES_MAX; i++)
		if (evaluation->lanes[i].sandbox)
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
		if (has_lane_with_sandbox(evaluation))
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
	return evaluation->count || evaluation->lanes[0].phase == LANE_CLOSED;
}

/* More cases wait than lanes that will take one in a moment. */
static bool lane_is_missing(const struct evaluation *evaluation)
{
	size_t waiting = 0, takers = 0;

	for (size_t i = 0; i < evaluation->count; i++)
		waiting += evaluation->cases[i].progress == CASE_WAITS;
	for (size_t i = 0; i < LANES_MAX; i++)
		takers += evaluation->lanes[i].phase != LANE_CLOSED && !evaluation->lanes[i].judged;
	return waiting > takers && evaluation->got_bytes <= GOT_BYTES_MOST;
}

/* Somebody else waits for a place, and one lane is enough to go on with; or this
 * one has had its turn. */
bool evaluation_can_spare(const struct evaluation *evaluation, const struct lane *lane)
{
	uint64_t ours = 0;
	bool spare = loop_now_us() - lane->granted_us > TURN_MS * 1000;

	for (size_t i = 0; i < LANES_MAX; i++) {
		ours += evaluation->lanes[i].waiter.waiting;
		spare |= &evaluation->lanes[i] != lane && evaluation->lanes[i].sandbox;
	}
	return spare && admission_queued(evaluation->executor->admission) > ours;
}

static void open_lanes(struct evaluation *evaluation)
{
	size_t most = evaluation->executor->options.evaluation_lanes;

	for (size_t i = 0; i < most && i < LANES_MAX && lane_is_missing(evaluation); i++) {
		struct lane *lane = &evaluation->lanes[i];

		if (lane->phase != LANE_CLOSED)
			continue;
		lane->evaluation = evaluation;
		lane_begin(lane);
	}
}

void evaluation_go_on(struct evaluation *evaluation)
{
	if (evaluation->finish.place || evaluation->retry.place)
		return;
	if (is_done(evaluation))
		evaluation_finish(evaluation);
	else if (evaluation->verdicts.prepared == evaluation->count)
		open_lanes(evaluation);
}

void evaluation_prepared(struct evaluation *evaluation)
{
	struct lane *first = &evaluation->lanes[0];

	if (!evaluation->count && !first->evaluation) {
		first->evaluation = evaluation;
		lane_begin(first);
	} else {
		evaluation_go_on(evaluation);
	}
}

/* -- the session's files ---------------------------------------------------------- */

static void on_proceed(struct call *call)
{
	struct evaluation *evaluation = call->context;
	struct lane *lane = evaluation->offered;

	evaluation->offered = NULL;
	if (lane && lane->offered && lane->phase == LANE_WANTS_FILES)
		lane_go_on(lane);
	evaluation_offer_files(evaluation);
}

static struct lane *find_wanting(struct evaluation *evaluation)
{
	for (size_t i = 0; i < LANES_MAX; i++)
		if (evaluation->lanes[i].phase == LANE_WANTS_FILES)
			return &evaluation->lanes[i];
	return NULL;
}

void evaluation_offer_files(struct evaluation *evaluation)
{
	struct lane *lane = evaluation->offered ? NULL : find_wanting(evaluation);
	struct call *call = evaluation->call;

	if (!lane)
		return;
	int fd = sandbox_share_workspace(lane->sandbox, call_peer(call));
	if (fd < 0) {
		evaluation_refused(evaluation, REFUSAL_INTERNAL);
		return;
	}
	evaluation->offered = lane;
	lane->offered = true;
	call->proceed = on_proceed;
	call_workspace(call, fd);
	close(fd);
}
