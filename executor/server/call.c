/* Refusing a call, and what it is called in the log. */
#include <stdarg.h>
#include <stdio.h>

#include "common/fields.h"
#include "executor/server/server.h"

static void refuse(struct call *call, enum refusal refusal, unsigned field, const char *message,
		   uint64_t retry_after_ms)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_number(&fields, FIELD_REFUSAL, refusal);
	if (field)
		(void)fields_put_text(&fields, FIELD_FIELD_NAME, protocol_field_name(field));
	(void)fields_put_text(&fields, FIELD_MESSAGE, message);
	if (retry_after_ms)
		(void)fields_put_number(&fields, FIELD_RETRY_AFTER_MS, retry_after_ms);
	call_finish(call, FRAME_REFUSAL, &fields);
}

void call_refuse(struct call *call, enum refusal refusal, unsigned field, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	refuse(call, refusal, field, message, 0);
}

void call_refuse_busy(struct call *call, enum refusal refusal, const char *message,
		      uint64_t retry_after_ms)
{
	refuse(call, refusal, FIELD_NONE, message, retry_after_ms);
}

void call_request_id(const struct call *call, char *ret_id, size_t size)
{
	struct field_view field;

	snprintf(ret_id, size, "-");
	if (fields_find(call->fields, call->length, FIELD_REQUEST_ID, &field) == 1 && field.length)
		snprintf(ret_id, size, "%.*s", (int)(field.length < 128 ? field.length : 128),
			 (const char *)field.value);
}
