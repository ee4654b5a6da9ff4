/* FRAME_EVALUATE: a submission and its cases in, a result for each case out. */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "executor/grading/evaluation.h"
#include "executor/server/server.h"

enum { BUSY_RETRY_MS = 1000 };

static void let_go(struct evaluation *evaluation)
{
	evaluation_close(evaluation);
	if (evaluation->submission.environment)
		environment_release(evaluation->submission.environment);
	submission_reset(&evaluation->submission);
	free(evaluation);
}

static void on_cancel(struct call *call)
{
	let_go(call->context);
}

static void log_end(const struct evaluation *evaluation)
{
	const struct submission *submission = &evaluation->submission;
	char id[160];

	call_request_id(submission->call, id, sizeof id);
	log_info("request %s: evaluation, %zu of %zu cases passed%s in %llu us", id,
		 submission_passed(submission), submission->count,
		 submission->load.length ? ", the code did not load," : "",
		 (unsigned long long)(loop_now_us() - submission->call->started_us));
}

static void answer(struct executor *executor, struct call *call, enum refusal refusal,
		   const struct buffer *fields, int error)
{
	if (refusal == REFUSAL_BUSY) {
		executor->counters[COUNTER_REFUSED]++;
		call_refuse_busy(call, refusal, "The service is busy: no sandbox became free.",
				 BUSY_RETRY_MS);
	} else if (refusal == REFUSAL_FILES_FULL || refusal == REFUSAL_SANDBOX_FULL) {
		req_refuse_files(call, refusal == REFUSAL_FILES_FULL ? -EDQUOT : -ENOSPC);
	} else if (refusal != REFUSAL_COUNT) {
		call_refuse_busy(call, refusal, "The sandbox could not be prepared.",
				 BUSY_RETRY_MS);
	} else if (error) {
		req_refuse_internal(call, "render the results", error);
	} else {
		executor->counters[COUNTER_RUNS] += 1;
		call_finish(call, FRAME_REPLY, fields);
	}
}

static void on_finished(struct evaluation *evaluation)
{
	struct executor *executor = evaluation->submission.executor;
	struct call *call = evaluation->submission.call;
	enum refusal refusal = evaluation->refusal;
	AUTO_BUFFER fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = submission_put_results(&evaluation->submission, &fields);

	log_end(evaluation);
	let_go(evaluation);
	call->cancel = NULL;
	answer(executor, call, refusal, &fields, error);
}

void evaluate_handle(void *context, struct call *call)
{
	struct executor *executor = context;
	struct evaluation *evaluation = calloc(1, sizeof *evaluation);

	if (!evaluation) {
		req_refuse_internal(call, "remember the evaluation", -ENOMEM);
		return;
	}
	if (!submission_read(&evaluation->submission, executor, call)) {
		let_go(evaluation);
		return;
	}
	call->context = evaluation;
	call->cancel = on_cancel;
	int error = evaluation_begin(evaluation, on_finished);
	if (error) {
		let_go(evaluation);
		call->cancel = NULL;
		req_refuse_internal(call, "begin the evaluation", error);
	}
}
