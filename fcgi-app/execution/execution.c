#define _GNU_SOURCE
#include "fcgi-app/execution/execution.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "common/message.h"

/* ---- a request as a frame ------------------------------------------------------------ */

static int put_text(struct buffer *list, enum field field, struct text text)
{
	return text.data ? fields_put_bytes(list, field, text.data, text.length) : 0;
}

static int put_number(struct buffer *list, enum field field, uint64_t value)
{
	return value ? fields_put_number(list, field, value) : 0;
}

/* The limits that the client named, or our own. */
static int put_limits(struct buffer *list, const struct exec_request *request, bool defaults)
{
	int failed = 0;

	for (unsigned i = 0; i < EXEC_LIMITS && !failed; i++)
		if (request->limits[i].given && request->limits[i].is_default == defaults)
			failed = fields_put_number(list, FIELD_WALL_MS + i,
						   request->limits[i].value);
	return failed;
}

static int put_defaults(struct buffer *list, const struct exec_request *request)
{
	AUTO_BUFFER defaults = BUFFER_INIT(0);
	int failed = put_limits(&defaults, request, true);

	if (failed || !defaults.length)
		return failed;
	return fields_put_bytes(list, FIELD_DEFAULTS, defaults.data, defaults.length);
}

int exec_request_encode(const struct exec_request *request, uint32_t number, struct buffer *out)
{
	static const uint8_t space[FRAME_HEADER_BYTES];
	const struct {
		enum field field;
		struct text text;
	} texts[] = {
		{ FIELD_REQUEST_ID, text_of(request->request_id) },
		{ FIELD_CLIENT, text_of(request->client) },
		{ FIELD_PROFILE, text_of(request->profile) },
		{ FIELD_ENVIRONMENT, request->environment },
		{ FIELD_SESSION_ID, request->session_id },
		{ FIELD_CODE, request->code },
		{ FIELD_STDIN, request->input },
		{ FIELD_ENTRY_POINT, request->entry_point },
	};
	const struct {
		enum field field;
		uint64_t value;
	} numbers[] = {
		{ FIELD_CREATE, request->create },
		{ FIELD_RESTRICTED, request->restricted },
		{ FIELD_DETACH, request->detach },
		{ FIELD_CLEAR_FILES, request->clear_files },
		{ FIELD_WANT_FILES, request->files != NULL },
		{ FIELD_PUT_BYTES, request->files ? request->files->bytes : 0 },
		{ FIELD_STREAM, request->events && request->call != FRAME_SESSION_CELL },
		{ FIELD_INTERACTIVE, request->interactive },
		{ FIELD_END_OF_INPUT, request->end_of_input },
		{ FIELD_FOLLOW, request->follow },
		{ FIELD_EXECUTION, request->execution },
		{ FIELD_SEQUENCE, request->sequence },
	};
	int failed;

	out->length = 0;
	failed = buffer_append(out, space, sizeof space);
	for (size_t i = 0; !failed && i < sizeof texts / sizeof *texts; i++)
		failed = put_text(out, texts[i].field, texts[i].text);
	if (!failed && request->cases)
		failed = buffer_append(out, request->cases->data, request->cases->length);
	for (size_t i = 0; !failed && i < sizeof numbers / sizeof *numbers; i++)
		failed = put_number(out, numbers[i].field, numbers[i].value);
	failed = failed ? failed : put_limits(out, request, false);
	failed = failed ? failed : put_defaults(out, request);
	if (failed)
		return failed == -EMSGSIZE ? -E2BIG : failed;

	frame_encode_header(
		&(struct frame_header){ .length = (uint32_t)(out->length - sizeof space),
					.version = PROTOCOL_VERSION,
					.type = (uint8_t)request->call,
					.number = number },
		out->data);
	return 0;
}

/* ---- an answer as an outcome ---------------------------------------------------------- */

static struct text as_text(const struct field_view *field)
{
	return (struct text){ (const char *)field->value, field->length };
}

static void set_once(struct text *text, const struct field_view *field)
{
	if (!text->data)
		*text = as_text(field);
}

/* A report that is not well-formed is one that the program broke: it counts as
 * empty, and the outcome stands. */
static void read_report(const struct field_view *list, struct exec_report *ret_report)
{
	struct exec_report report = { .list = as_text(list) };
	struct fields_reader reader;
	struct field_view field;
	int got;

	fields_open(&reader, list->value, list->length);
	while ((got = fields_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case FIELD_RESULT:
			set_once(&report.result, &field);
			break;
		case FIELD_EXCEPTION_TYPE:
			set_once(&report.exception_type, &field);
			break;
		case FIELD_EXCEPTION_MESSAGE:
			set_once(&report.exception_message, &field);
			break;
		case FIELD_TRACEBACK:
			set_once(&report.traceback, &field);
			break;
		case FIELD_EXCEPTION_LINE:
			report.has_line = true;
			report.exception_line = field_number(&field);
			break;
		default:
			break;
		}
	}
	if (!got)
		*ret_report = report;
}

static int read_field(const struct field_view *field, struct outcome *outcome)
{
	uint64_t number = field_number(field);

	switch (field->tag) {
	case FIELD_STATUS:
		outcome->status = (enum status)number;
		return number < STATUS_COUNT ? 0 : -EBADMSG;
	case FIELD_REASON:
		outcome->reason = (enum reason)number;
		return number < REASON_COUNT ? 0 : -EBADMSG;
	case FIELD_STATE:
		outcome->state = (enum state)number;
		return number < STATE_COUNT ? 0 : -EBADMSG;
	case FIELD_RETURN_CODE:
		outcome->return_code = (int64_t)number;
		break;
	case FIELD_SIGNAL:
		outcome->signal = number;
		break;
	case FIELD_WALL_US:
		outcome->wall_us = number;
		break;
	case FIELD_CPU_US:
		outcome->cpu_us = number;
		break;
	case FIELD_MEMORY_PEAK_BYTES:
		outcome->memory_peak_bytes = number;
		break;
	case FIELD_LIMIT:
		outcome->limit = number;
		break;
	case FIELD_EXECUTION:
		outcome->execution = number;
		break;
	case FIELD_STDOUT_TRUNCATED:
		outcome->stdout_truncated = number != 0;
		break;
	case FIELD_STDERR_TRUNCATED:
		outcome->stderr_truncated = number != 0;
		break;
	case FIELD_NOTE:
		outcome->note = as_text(field);
		break;
	case FIELD_REPORT:
		read_report(field, &outcome->report);
		break;
	default:
		break;
	}
	return 0;
}

int outcome_read_list(const void *list, size_t length, struct outcome *ret_outcome)
{
	struct outcome outcome = { .status = STATUS_COUNT, .out = TEXT(""), .err = TEXT("") };
	struct fields_reader reader;
	struct field_view field;
	int got;

	fields_open(&reader, list, length);
	while ((got = fields_next(&reader, &field)) > 0)
		if (read_field(&field, &outcome))
			return -EBADMSG;
	if (got < 0 || outcome.status == STATUS_COUNT)
		return -EBADMSG;
	*ret_outcome = outcome;
	return 0;
}

/* A stream is never absent, only empty. */
static struct text stream(const struct buffer *bytes, bool truncated)
{
	struct text text = { bytes->data ? (const char *)bytes->data : "", bytes->length };

	return truncated ? text_without_half_character(text) : text;
}

int outcome_read(const struct executor_answer *answer, struct outcome *ret_outcome)
{
	struct outcome outcome;
	int failed = outcome_read_list(answer->payload.data, answer->payload.length, &outcome);

	if (failed)
		return failed;
	outcome.out = stream(&answer->out, outcome.stdout_truncated);
	outcome.err = stream(&answer->err, outcome.stderr_truncated);
	outcome.displays =
		(struct text){ (const char *)answer->displays.data, answer->displays.length };
	*ret_outcome = outcome;
	return 0;
}

/* "10 s", "2.5 s", "128 MB": as short as it is exact. */
static void say_amount(uint64_t value, uint64_t unit, const char *name, char out[40])
{
	if (value % unit == 0)
		snprintf(out, 40, "%" PRIu64 " %s", value / unit, name);
	else
		snprintf(out, 40, "%.1f %s", (double)value / (double)unit, name);
}

const char *outcome_sentence(const struct outcome *outcome, char out[OUTCOME_SENTENCE_BYTES])
{
	uint64_t limit = outcome->limit;
	char amount[40] = "";

	*out = '\0';
	switch (outcome->reason) {
	case REASON_WALL_TIME:
	case REASON_CPU_TIME:
		say_amount(limit, 1000, "s", amount);
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Execution timed out%s%s (%s time limit)",
			 limit ? " after " : "", limit ? amount : "",
			 outcome->reason == REASON_CPU_TIME ? "CPU" : "wall");
		break;
	case REASON_MEMORY:
		say_amount(limit, 1 << 20, "MB", amount);
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Memory limit exceeded%s%s",
			 limit ? ": the program may use " : "", limit ? amount : "");
		break;
	case REASON_OUTPUT:
		if (limit && limit % (1 << 20) == 0)
			say_amount(limit, 1 << 20, "MB", amount);
		else
			say_amount(limit, 1, "bytes", amount);
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Output limit exceeded%s%s",
			 limit ? ": the program may print " : "", limit ? amount : "");
		break;
	case REASON_PROCESSES:
		say_amount(limit, 1, "processes and threads", amount);
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Process limit exceeded%s%s",
			 limit ? ": the program may have " : "", limit ? amount : "");
		break;
	case REASON_DISK:
		say_amount(limit, 1 << 20, "MB", amount);
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Disk limit exceeded%s%s",
			 limit ? ": the program may store " : "", limit ? amount : "");
		break;
	case REASON_CRASH:
		snprintf(out, OUTCOME_SENTENCE_BYTES,
			 "The interpreter crashed%s%s (signal %" PRIu64 ")",
			 outcome->signal ? ": " : "",
			 outcome->signal ? strsignal((int)outcome->signal) : "", outcome->signal);
		break;
	case REASON_INTERRUPTED:
		snprintf(out, OUTCOME_SENTENCE_BYTES, "Execution was interrupted");
		break;
	case REASON_INTERNAL:
		snprintf(out, OUTCOME_SENTENCE_BYTES,
			 "The sandbox failed; the program was not at fault");
		break;
	case REASON_NONE:
	case REASON_EXCEPTION:
	case REASON_EXIT:
	case REASON_COUNT:
		break;
	}
	return out;
}
