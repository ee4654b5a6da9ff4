/* FRAME_INFO: what this executor is, what it isolates, how busy it is. */
#include <errno.h>

#include "executor/selftest/doctor.h"
#include "executor/executor.h"
#include "common/fields.h"
#include "executor/run/profile.h"
#include "executor/server/request.h"

static int put_counter(struct buffer *list, const char *name, uint64_t value)
{
	AUTO_BUFFER one = BUFFER_INIT(256);
	int error = fields_put_text(&one, FIELD_NAME, name);

	if (!error)
		error = fields_put_number(&one, FIELD_SIZE_BYTES, value);
	return error ? error : fields_put_bytes(list, FIELD_COUNTER, one.data, one.length);
}

static int put_counters(const struct executor *executor, struct buffer *list)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "runs", executor->counters[COUNTER_RUNS] },
		{ "cells", executor->counters[COUNTER_CELLS] },
		{ "refused", executor->counters[COUNTER_REFUSED] },
		{ "sessions_made", executor->counters[COUNTER_SESSIONS_MADE] },
		{ "restored", executor->counters[COUNTER_RESTORED] },
		{ "lost", executor->counters[COUNTER_LOST] },
		{ "running", admission_running(executor->admission) },
		{ "queued", admission_queued(executor->admission) },
		{ "sessions", executor->session_count },
		{ "sandboxes", sandboxes_count(executor->sandboxes) },
		{ "pool_ready", environments_ready(executor->environments) },
		{ "zygotes_warm", environments_warm_zygotes(executor->environments) },
		{ "limit_running", executor->options.running },
		{ "limit_running_per_client", executor->options.running_per_client },
		{ "limit_queue", executor->options.queue },
		{ "limit_sessions", executor->options.sessions },
		{ "limit_sessions_per_client", executor->options.sessions_per_client },
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof counters / sizeof *counters; i++)
		error = put_counter(list, counters[i].name, counters[i].value);
	return error;
}

static int put_profile(struct buffer *list, const struct profile *profile)
{
	AUTO_BUFFER one = BUFFER_INIT(4096);
	int error = fields_put_text(&one, FIELD_PROFILE, profile->name);

	if (!error)
		error = limits_put(&profile->limits, &one);
	if (!error)
		error = session_limits_put(&profile->session, &one);
	return error ? error : fields_put_bytes(list, FIELD_PROFILE_LIMITS, one.data, one.length);
}

void info_handle(void *context, struct call *call)
{
	const struct executor *executor = context;
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = fields_put_text(&fields, FIELD_VERSION, PACKAGE_VERSION);

	if (!error)
		error = doctor_put(executor->doctor, &fields);
	if (!error)
		error = put_counters(executor, &fields);
	if (!error)
		error = environments_put(executor->environments, &fields);
	for (size_t i = 0; !error && i < PROFILE_COUNT; i++)
		error = put_profile(&fields, &profiles[i]);
	if (error)
		req_refuse_internal(call, "describe the service", error);
	else
		call_finish(call, FRAME_REPLY, &fields);
	buffer_reset(&fields);
}
