/* view.c - results and sessions as the native API shows them. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/fields.h"
#include "common/protocol.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json.h"
#include "fcgi-app/native/native.h"

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
	const struct exec_report *report = &outcome->report;

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

/* A list of fields: a payload, or one field of it. */
struct list {
	const void *data;
	size_t length;
};

static struct list whole(const struct executor_answer *answer)
{
	return (struct list){ answer->payload.data, answer->payload.length };
}

static struct list inside(const struct field_view *field)
{
	return (struct list){ field->value, field->length };
}

static struct text text_in(struct list list, enum field field)
{
	struct field_view view;

	if (fields_find(list.data, list.length, field, &view) != 1)
		return (struct text){ 0 };
	return (struct text){ (const char *)view.value, view.length };
}

static uint64_t number_in(struct list list, enum field field)
{
	return fields_number(list.data, list.length, field, 0);
}

void view_time(struct json_writer *writer, const char *key, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[48];
	struct tm utc;

	if (!ms || !gmtime_r(&seconds, &utc)) {
		writer_null(writer, key);
		return;
	}
	size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, sizeof text - length, ".%03uZ", (unsigned)(ms % 1000));
	writer_string(writer, key, text);
}

static void write_limits(struct json_writer *writer, struct list list)
{
	struct fields_reader reader;
	struct field_view field;

	writer_open_object(writer, "limits");
	fields_open(&reader, list.data, list.length);
	while (fields_next(&reader, &field) > 0)
		if (field.tag >= FIELD_WALL_MS && field.tag <= FIELD_UNDO_DEPTH)
			writer_unsigned(writer, protocol_field_name(field.tag),
					field_number(&field));
	writer_close_object(writer);
}

static void write_session(struct json_writer *writer, struct list list)
{
	writer_text(writer, "id", text_in(list, FIELD_SESSION_ID));
	writer_text(writer, "profile", text_in(list, FIELD_PROFILE));
	writer_text(writer, "environment", text_in(list, FIELD_ENVIRONMENT));
	view_time(writer, "created", number_in(list, FIELD_CREATED_MS));
	view_time(writer, "last_used", number_in(list, FIELD_LAST_USED_MS));
	view_time(writer, "expires", number_in(list, FIELD_EXPIRES_MS));
	writer_unsigned(writer, "executions", number_in(list, FIELD_EXECUTIONS));
	writer_string(writer, "state", number_in(list, FIELD_RUNNING) ? "running" : "idle");
	writer_unsigned(writer, "undo_levels", number_in(list, FIELD_UNDO_LEVELS));
	writer_open_object(writer, "usage");
	writer_decimal(writer, "cpu_ms", number_in(list, FIELD_CPU_US), 3);
	writer_unsigned(writer, "memory_bytes", number_in(list, FIELD_SIZE_BYTES));
	writer_unsigned(writer, "memory_peak_bytes", number_in(list, FIELD_MEMORY_PEAK_BYTES));
	writer_close_object(writer);
	write_limits(writer, list);
}

void view_session(struct json_writer *writer, const struct executor_answer *answer)
{
	struct list list = whole(answer);
	struct field_view session;

	if (fields_find(list.data, list.length, FIELD_SESSION, &session) == 1)
		list = inside(&session);
	write_session(writer, list);
}

void view_undo_levels(struct json_writer *writer, const struct executor_answer *answer)
{
	struct field_view levels;

	if (fields_find(answer->payload.data, answer->payload.length, FIELD_UNDO_LEVELS, &levels) ==
	    1)
		writer_unsigned(writer, "undo_levels", field_number(&levels));
}

/* An array of objects, one for each field with this tag. */
static void write_each(struct json_writer *writer, const char *key, struct list list,
		       enum field tag, void (*write)(struct json_writer *, struct list))
{
	struct fields_reader reader;
	struct field_view field;

	writer_open_array(writer, key);
	fields_open(&reader, list.data, list.length);
	while (fields_next(&reader, &field) > 0) {
		if (field.tag != (unsigned)tag)
			continue;
		writer_open_object(writer, NULL);
		write(writer, inside(&field));
		writer_close_object(writer);
	}
	writer_close_array(writer);
}

void view_sessions(struct json_writer *writer, const struct executor_answer *answer)
{
	write_each(writer, "sessions", whole(answer), FIELD_SESSION, write_session);
}

static void write_variable(struct json_writer *writer, struct list list)
{
	writer_text(writer, "name", text_in(list, FIELD_NAME));
	writer_text(writer, "type", text_in(list, FIELD_TYPE));
	writer_text(writer, "repr", text_in(list, FIELD_REPR));
	writer_unsigned(writer, "size", number_in(list, FIELD_SIZE_BYTES));
}

void view_variables(struct json_writer *writer, const struct executor_answer *answer)
{
	struct list list = whole(answer);
	struct field_view report;

	if (fields_find(list.data, list.length, FIELD_REPORT, &report) == 1)
		list = inside(&report);
	write_each(writer, "variables", list, FIELD_VARIABLE, write_variable);
}

static void write_end(struct json_writer *writer, struct list list)
{
	writer_string(writer, "status", protocol_status_name(number_in(list, FIELD_STATUS)));
	writer_string(writer, "reason", protocol_reason_name(number_in(list, FIELD_REASON)));
	writer_string(writer, "state", protocol_state_name(number_in(list, FIELD_STATE)));
	writer_text(writer, "result", text_in(list, FIELD_RESULT));
	writer_decimal(writer, "execution_time", number_in(list, FIELD_WALL_US), 6);
}

static void write_cell(struct json_writer *writer, struct list list)
{
	writer_unsigned(writer, "execution", number_in(list, FIELD_EXECUTION));
	view_time(writer, "started", number_in(list, FIELD_CREATED_MS));
	writer_text(writer, "code", text_in(list, FIELD_CODE));
	write_end(writer, list);
}

void view_history(struct json_writer *writer, const struct executor_answer *answer)
{
	write_each(writer, "history", whole(answer), FIELD_HISTORY, write_cell);
}

/* What is known of a cell from its beginning on. */
static void write_cell_head(struct json_writer *writer, struct list list)
{
	writer_unsigned(writer, "execution", number_in(list, FIELD_EXECUTION));
	view_time(writer, "started", number_in(list, FIELD_CREATED_MS));
	writer_text(writer, "code", text_in(list, FIELD_CODE));
	writer_bool(writer, "running", number_in(list, FIELD_RUNNING) != 0);
	writer_bool(writer, "waits_for_input", number_in(list, FIELD_WAITS_FOR_INPUT) != 0);
}

/* What is not known before its end. */
static void write_no_end(struct json_writer *writer)
{
	static const char *const members[] = { "status", "reason", "state", "result",
					       "execution_time" };

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		writer_null(writer, members[i]);
}

static void write_kept_cell(struct json_writer *writer, struct list list)
{
	struct text out = text_in(list, FIELD_STDOUT), err = text_in(list, FIELD_STDERR);

	write_cell_head(writer, list);
	if (number_in(list, FIELD_RUNNING))
		write_no_end(writer);
	else
		write_end(writer, list);
	writer_text(writer, "stdout", out.data ? out : TEXT(""));
	writer_text(writer, "stderr", err.data ? err : TEXT(""));
	writer_unsigned(writer, "lost_bytes", number_in(list, FIELD_LOST_BYTES));
}

void view_cells(struct json_writer *writer, const struct executor_answer *answer)
{
	write_each(writer, "cells", whole(answer), FIELD_CELL, write_kept_cell);
}

static struct text buffer_text(const struct buffer *buffer)
{
	return (struct text){ buffer->data ? (const char *)buffer->data : "", buffer->length };
}

void view_cell(struct json_writer *writer, const struct executor_answer *answer,
	       struct text session_id)
{
	struct list list = whole(answer);
	struct outcome outcome;

	writer_unsigned(writer, "lost_bytes", answer->lost_bytes);
	if (answer->type == FRAME_OUTCOME && !outcome_read(answer, &outcome)) {
		outcome.execution = 0; /* it is in the head */
		write_cell_head(writer, list);
		result_write(writer, &outcome, session_id);
		return;
	}
	write_cell_head(writer, list);
	write_no_end(writer);
	writer_text(writer, "stdout", buffer_text(&answer->out));
	writer_text(writer, "stderr", buffer_text(&answer->err));
	result_write_outputs(writer, (struct text){ (const char *)answer->displays.data,
						    answer->displays.length });
	writer_text(writer, "session_id", session_id);
}
