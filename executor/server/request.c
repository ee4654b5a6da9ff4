#include "executor/server/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mailbox.h"
#include "executor/options.h"

struct field_view req_optional(const struct call *call, unsigned field)
{
	struct field_view view = { .tag = field };

	if (fields_find(call->fields, call->length, field, &view) != 1)
		return (struct field_view){ .tag = field, .value = (const uint8_t *)"" };
	return view;
}

uint64_t req_number(const struct call *call, unsigned field)
{
	return fields_number(call->fields, call->length, field, 0);
}

bool req_profile(struct call *call, const struct profile **ret_profile)
{
	struct field_view name = req_optional(call, FIELD_PROFILE);
	const struct profile *profile = profile_find((const char *)name.value, name.length);

	if (!name.length)
		profile = &profiles[PROFILE_NATIVE];
	if (!profile) {
		call_refuse(call, REFUSAL_INVALID, FIELD_PROFILE,
			    "expected one of native, playground, repl, workspace, strict");
		return false;
	}
	*ret_profile = profile;
	return true;
}

/* With the bounds as fields too: the application may know the limit in another unit. */
static bool refuse_limit(struct call *call, const struct limit_error *wrong)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);
	char message[96];

	snprintf(message, sizeof message, "expected a number from %llu to %llu",
		 (unsigned long long)wrong->least, (unsigned long long)wrong->most);
	(void)fields_put_number(&fields, FIELD_REFUSAL, REFUSAL_INVALID);
	(void)fields_put_text(&fields, FIELD_FIELD_NAME, protocol_field_name(wrong->field));
	(void)fields_put_text(&fields, FIELD_MESSAGE, message);
	(void)fields_put_number(&fields, FIELD_LEAST, wrong->least);
	(void)fields_put_number(&fields, FIELD_MOST, wrong->most);
	call_finish(call, FRAME_REFUSAL, &fields);
	return false;
}

bool req_limits(struct call *call, const struct limits *base, struct limits *ret_limits)
{
	struct limit_error wrong = { 0 };

	return !limits_lower(base, call->fields, call->length, ret_limits, &wrong) ||
	       refuse_limit(call, &wrong);
}

static void raise_limit(uint64_t *limit, uint64_t of_profile, uint64_t most)
{
	if (*limit >= of_profile && *limit < most)
		*limit = most;
}

bool req_run_limits(struct call *call, const struct limits *usual, const struct profile *profile,
		    const struct options *options, struct limits *ret_limits)
{
	bool streams = req_number(call, FIELD_STREAM);
	bool is_long = streams || req_number(call, FIELD_DETACH);
	struct limit_error wrong = { 0 };
	struct limits most = *usual, limits;

	if (is_long && !profile->readonly) {
		raise_limit(&most.wall_ms, profile->limits.wall_ms, options->max_wall_ms);
		raise_limit(&most.cpu_ms, profile->limits.cpu_ms, options->max_wall_ms);
	}
	if (streams && !profile->readonly)
		raise_limit(&most.output_bytes, profile->limits.output_bytes,
			    options->stream_output_bytes);
	if (limits_within(usual, &most, call->fields, call->length, &limits, &wrong))
		return refuse_limit(call, &wrong);
	/* who asks for more time means to use it; who reads as it comes may read it all */
	if (!fields_has(call->fields, call->length, FIELD_CPU_MS) &&
	    limits.cpu_ms < limits.wall_ms && limits.wall_ms > usual->wall_ms)
		limits.cpu_ms = limits.wall_ms < most.cpu_ms ? limits.wall_ms : most.cpu_ms;
	if (!fields_has(call->fields, call->length, FIELD_OUTPUT_BYTES))
		limits.output_bytes = most.output_bytes;
	*ret_limits = limits;
	return true;
}

bool req_session_limits(struct call *call, const struct session_limits *base,
			struct session_limits *ret_limits)
{
	struct limit_error wrong = { 0 };

	return !session_limits_lower(base, call->fields, call->length, ret_limits, &wrong) ||
	       refuse_limit(call, &wrong);
}

bool req_code(struct call *call, struct field_view *ret_code)
{
	*ret_code = req_optional(call, FIELD_CODE);
	if (!ret_code->length) {
		call_refuse(call, REFUSAL_INVALID, FIELD_CODE, "expected code that is not empty");
		return false;
	}
	if (ret_code->length > MAILBOX_PAYLOAD_MAX) {
		call_refuse(call, REFUSAL_INVALID, FIELD_CODE, "expected at most %d bytes",
			    MAILBOX_PAYLOAD_MAX);
		return false;
	}
	return true;
}

void req_refuse_internal(struct call *call, const char *what, int error)
{
	char id[160];

	call_request_id(call, id, sizeof id);
	log_error("request %s: cannot %s: %s", id, what, strerror(-error));
	call_refuse_busy(call, REFUSAL_INTERNAL, "The sandbox could not be prepared.", 1000);
}

void req_refuse_files(struct call *call, int error)
{
	enum { RETRY_MS = 5000 };

	if (error == -EDQUOT)
		call_refuse_busy(
			call, REFUSAL_FILES_FULL,
			"There is no room for more files now: those in all sandboxes together "
			"take what they may (sandboxes_files_bytes).",
			RETRY_MS);
	else if (error == -ENOSPC)
		call_refuse(call, REFUSAL_SANDBOX_FULL, FIELD_NONE,
			    "There is no room for these files: they count towards the sandbox's "
			    "memory (memory_bytes), and the program has the rest.");
	else
		req_refuse_internal(call, "share the workspace", error);
}
