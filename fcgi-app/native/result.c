#include "fcgi-app/native/result.h"

#include <stddef.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/http/json_check.h"
#include "fcgi-app/http/json_span.h"

/* A MIME type as we pass it on: it becomes a key that a browser looks at. */
static bool is_mime_type(struct text type)
{
	bool slash = false;

	if (type.length == 0 || type.length > 100)
		return false;
	for (size_t i = 0; i < type.length; i++) {
		char c = type.data[i];

		slash |= c == '/';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("/+.-", c))
			return false;
	}
	return slash;
}

/* The members whose keys are MIME types; the values are JSON, and stay as they are. */
static void write_data(struct json_writer *writer, struct text data)
{
	struct json_walk walk;
	struct text key, value;

	writer_open_object(writer, "data");
	if (json_walk_open(data, &walk) && walk.object)
		while (json_walk_next(&walk, &key, &value))
			if (is_mime_type(key)) {
				writer_text_key(writer, key);
				writer_json(writer, NULL, value);
			}
	writer_close_object(writer);
}

bool result_write_display(struct json_writer *writer, struct text display)
{
	static const char executed[] = "\"execute_result\"";
	struct text type = { 0 }, data, metadata;
	size_t offset;

	if (json_check(display.data, display.length, &offset) ||
	    !json_member(display, "data", &data) || *data.data != '{')
		return false;
	(void)json_member(display, "type", &type);
	writer_open_object(writer, NULL);
	writer_string(writer, "type",
		      text_equals(type, executed) ? "execute_result" : "display_data");
	write_data(writer, data);
	if (json_member(display, "metadata", &metadata) && *metadata.data == '{')
		writer_json(writer, "metadata", metadata);
	else
		writer_json(writer, "metadata", TEXT("{}"));
	writer_close_object(writer);
	return true;
}

void result_write_outputs(struct json_writer *writer, struct text displays)
{
	struct fields_reader reader;
	struct field_view field;

	writer_open_array(writer, "outputs");
	fields_open(&reader, displays.data, displays.length);
	while (fields_next(&reader, &field) > 0)
		result_write_display(writer,
				     (struct text){ (const char *)field.value, field.length });
	writer_close_array(writer);
}

/* The lines of a text, without their ends. */
static void write_lines(struct json_writer *writer, const char *key, struct text text)
{
	writer_open_array(writer, key);
	while (text.length) {
		const char *end = memchr(text.data, '\n', text.length);
		size_t length = end ? (size_t)(end - text.data) : text.length;

		writer_text(writer, NULL, (struct text){ text.data, length });
		text.data += length + (end != NULL);
		text.length -= length + (end != NULL);
	}
	writer_close_array(writer);
}

void result_write_exception(struct json_writer *writer, const struct outcome *outcome)
{
	const struct report *report = &outcome->report;

	if (outcome->status == STATUS_SUCCESS || !report->exception_type.data) {
		writer_null(writer, "exception");
		return;
	}
	writer_open_object(writer, "exception");
	writer_text(writer, "type", report->exception_type);
	writer_text(writer, "message",
		    report->exception_message.data ? report->exception_message : TEXT(""));
	if (report->has_line)
		writer_unsigned(writer, "line", report->exception_line);
	else
		writer_null(writer, "line");
	write_lines(writer, "traceback", report->traceback);
	writer_close_object(writer);
}

void result_write_usage(struct json_writer *writer, const struct outcome *outcome)
{
	writer_open_object(writer, "usage");
	writer_decimal(writer, "wall_ms", outcome->wall_us, 3);
	writer_decimal(writer, "cpu_ms", outcome->cpu_us, 3);
	writer_unsigned(writer, "memory_peak_bytes", outcome->memory_peak_bytes);
	writer_close_object(writer);
}

void result_write(struct json_writer *writer, const struct outcome *outcome, struct text session_id)
{
	writer_string(writer, "status", protocol_status_name(outcome->status));
	writer_string(writer, "reason", protocol_reason_name(outcome->reason));
	writer_text(writer, "stdout", outcome->out);
	writer_text(writer, "stderr", outcome->err);
	writer_text(writer, "result", outcome->report.result);
	result_write_outputs(writer, outcome->displays);
	result_write_exception(writer, outcome);
	writer_number(writer, "return_code", outcome->return_code);
	if (outcome->signal)
		writer_unsigned(writer, "signal", outcome->signal);
	else
		writer_null(writer, "signal");
	writer_decimal(writer, "execution_time", outcome->wall_us, 6);
	result_write_usage(writer, outcome);
	writer_open_object(writer, "truncated");
	writer_bool(writer, "stdout", outcome->stdout_truncated);
	writer_bool(writer, "stderr", outcome->stderr_truncated);
	writer_close_object(writer);
	writer_text(writer, "session_id", session_id);
	writer_string(writer, "state", protocol_state_name(outcome->state));
	writer_text(writer, "note", outcome->note);
	if (outcome->execution)
		writer_unsigned(writer, "execution", outcome->execution);
}
