#include "fcgi-app/execution/execution.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "common/log.h"
#include "fcgi-app/http/answer.h"

enum { OWN_TIME_MAX_MS = 3600000 };

/* What each refusal is in HTTP. The executor's own message wins over `detail`. */
static const struct {
	int status;
	const char *detail;
	unsigned retry_after_s; /* 0: trying again is no use */
} refusals[REFUSAL_COUNT] = {
	[REFUSAL_INVALID] = { 422, "the request was not valid", 0 },
	[REFUSAL_NO_SESSION] = { 404, "session not found", 0 },
	[REFUSAL_SESSION_EXISTS] = { 409, "a session with this id exists already", 0 },
	[REFUSAL_CONFLICT] = { 409, "the session is not in a state for this", 0 },
	[REFUSAL_BUSY] = { 503, "too many programs are running", 1 },
	[REFUSAL_SESSIONS_FULL] = { 503, "max sessions reached", 5 },
	[REFUSAL_CLIENT_FULL] = { 429, "too many sessions from this address", 5 },
	[REFUSAL_STOPPING] = { 503, "the service is going down", 2 },
	[REFUSAL_INTERNAL] = { 503, "a sandbox could not be made", 2 },
	[REFUSAL_WAITED] = { 409, "the session's earlier executions took too long", 0 },
	[REFUSAL_FILES_FULL] = { 507, "there is no room for more files now", 5 },
	[REFUSAL_SANDBOX_FULL] = { 507, "the session's memory has no room for these files", 0 },
};

struct exec_request run_request(const struct exchange *exchange, enum frame_type call,
				const char *profile)
{
	return (struct exec_request){
		.call = call,
		.request_id = exchange->id,
		.client = *exchange->caller.share ? exchange->caller.share : NULL,
		.profile = profile,
	};
}

enum refusal run_refusal(const struct executor_answer *answer)
{
	uint64_t refusal = fields_number(answer->payload.data, answer->payload.length,
					 FIELD_REFUSAL, REFUSAL_COUNT);

	return refusal < REFUSAL_COUNT ? (enum refusal)refusal : REFUSAL_COUNT;
}

static struct text refusal_text(const struct executor_answer *answer, enum field field)
{
	struct field_view view;

	if (fields_find(answer->payload.data, answer->payload.length, field, &view) != 1)
		return (struct text){ 0 };
	return (struct text){ (const char *)view.value, view.length };
}

static void set_retry_after(struct exchange *exchange, const struct executor_answer *answer,
			    unsigned fallback_s)
{
	uint64_t ms = fields_number(answer->payload.data, answer->payload.length,
				    FIELD_RETRY_AFTER_MS, (uint64_t)fallback_s * 1000);

	if (fallback_s)
		answer_header_number(exchange, "Retry-After", (unsigned long)((ms + 999) / 1000));
}

bool run_refused_field(const struct executor_answer *answer, enum field field)
{
	return answer->type == FRAME_REFUSAL && run_refusal(answer) == REFUSAL_INVALID &&
	       text_equals(refusal_text(answer, FIELD_FIELD_NAME), protocol_field_name(field));
}

void run_refuse(struct exchange *exchange, const struct executor_answer *answer)
{
	run_refuse_as(exchange, answer, refusals[REFUSAL_INVALID].status);
}

void run_refuse_as(struct exchange *exchange, const struct executor_answer *answer,
		   int invalid_status)
{
	enum refusal refusal = run_refusal(answer);
	struct text message = refusal_text(answer, FIELD_MESSAGE);
	struct text field = refusal_text(answer, FIELD_FIELD_NAME);
	char detail[160], name[48];
	int status;

	if (refusal == REFUSAL_COUNT)
		refusal = REFUSAL_INTERNAL;
	status = refusal == REFUSAL_INVALID ? invalid_status : refusals[refusal].status;
	if (message.data)
		snprintf(detail, sizeof detail, "%.*s", (int)message.length, message.data);
	else
		snprintf(detail, sizeof detail, "%s", refusals[refusal].detail);
	set_retry_after(exchange, answer, refusals[refusal].retry_after_s);
	if (refusal == REFUSAL_INVALID && field.data) {
		snprintf(name, sizeof name, "%.*s", (int)field.length, field.data);
		answer_field_problem(exchange, status, name, detail);
	} else {
		answer_problem(exchange, status, detail);
	}
}

static void answer_failure(struct exchange *exchange, int failed)
{
	if (failed == -ECANCELED) {
		exchange->status = HTTP_CLIENT_GONE;
		return;
	}
	if (failed == -ECONNABORTED) /* who put the files answers for it */
		return;
	log_error("event=executor_failed id=%s error=\"%s\"", exchange->id, strerror(-failed));
	if (failed == -E2BIG) {
		answer_problem(exchange, 413, "the request is too large");
		return;
	}
	answer_header_number(exchange, "Retry-After", 1);
	answer_problem(exchange, 503,
		       failed == -ETIMEDOUT ? "the executor gave no answer in time"
		       : failed == -EBADMSG || failed == -EPROTO || failed == -EMSGSIZE
			       ? "the executor's answer was not understood"
			       : "the executor is away");
}

void run_not_understood(struct exchange *exchange)
{
	answer_failure(exchange, -EPROTO);
}

/* What a long run's own time, and that of one it waits behind, adds to the wait. */
static uint64_t own_time_ms(const struct exec_request *request)
{
	const struct exec_limit *wall = &request->limits[0];

	if (request->call == FRAME_EVALUATE || !wall->given ||
	    (request->detach && !request->events))
		return 0;
	return wall->value < OWN_TIME_MAX_MS ? wall->value : OWN_TIME_MAX_MS;
}

/* A detached cell has outlived our patience: it can be looked at later. */
static void answer_runs_on(struct exchange *exchange, const struct exec_request *request)
{
	struct json_writer writer = answer_open(exchange, 202);

	writer_text(&writer, "session_id", request->session_id);
	writer_null(&writer, "status");
	writer_string(&writer, "detail", "the cell runs on; see GET .../cells");
	answer_finish(exchange, &writer);
}

bool run_ask(struct exchange *exchange, const struct exec_request *request,
	     struct executor_answer *ret_answer)
{
	struct executor_wait wait = { exchange->gateway->hangup_fd,
				      exchange->config->answer_ms + own_time_ms(request) };
	int failed = executor_client_call(exchange->executor, request, &wait, ret_answer);

	if (failed == -ETIMEDOUT && request->detach)
		answer_runs_on(exchange, request);
	else if (failed)
		answer_failure(exchange, failed);
	return !failed;
}

/* Where a limit is refused that the client knows by another name or in another
 * unit, in its words. */
static bool refuse_in_own_words(struct exchange *exchange, const struct exec_request *request,
				const struct executor_answer *answer)
{
	const struct exec_limit *limit = NULL;
	char detail[96];

	for (unsigned i = 0; i < EXEC_LIMITS && !limit; i++)
		if (request->limits[i].given && request->limits[i].name &&
		    run_refused_field(answer, FIELD_WALL_MS + i))
			limit = &request->limits[i];
	if (!limit)
		return false;
	uint64_t least =
		fields_number(answer->payload.data, answer->payload.length, FIELD_LEAST, 0);
	uint64_t most = fields_number(answer->payload.data, answer->payload.length, FIELD_MOST, 0);
	bool high = limit->value > most;

	snprintf(detail, sizeof detail, "expected %s %.15g", high ? "at most" : "at least",
		 (double)(high ? most : least) / limit->unit);
	answer_field_problem(exchange, 422, limit->name, detail);
	return true;
}

bool run_call(struct exchange *exchange, const struct exec_request *request,
	      enum frame_type expected, struct executor_answer *ret_answer)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!run_ask(exchange, request, &answer))
		return false;
	if (answer.type == FRAME_REFUSAL) {
		if (!refuse_in_own_words(exchange, request, &answer))
			run_refuse(exchange, &answer);
		return false;
	}
	if (answer.type != expected) {
		run_not_understood(exchange);
		return false;
	}
	*ret_answer = answer;
	answer = (struct executor_answer)EXECUTOR_ANSWER_INIT;
	return true;
}

bool run_outcome(struct exchange *exchange, const struct exec_request *request,
		 struct executor_answer *ret_answer, struct outcome *ret_outcome)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!run_call(exchange, request, FRAME_OUTCOME, &answer))
		return false;
	if (outcome_read(&answer, ret_outcome)) {
		run_not_understood(exchange);
		return false;
	}
	*ret_answer = answer;
	answer = (struct executor_answer)EXECUTOR_ANSWER_INIT;
	return true;
}
