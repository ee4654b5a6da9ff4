#include "fcgi-app/execution/exec_request.h"

#include <errno.h>

#include "common/fields.h"
#include "common/message.h"

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
