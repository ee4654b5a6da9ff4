/* service.c - health, information, and the sign of life at the root. */
#include <string.h>
#include <time.h>

#include "common/fields.h"
#include "fcgi-app/config.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/routes.h"

enum { TIMESTAMP_BYTES = 32 };

static bool ask_info(struct exchange *exchange, struct executor_answer *ret_answer)
{
	struct exec_request request = run_request(exchange, FRAME_INFO, NULL);

	return run_call(exchange, &request, FRAME_REPLY, ret_answer);
}

static struct text find_text(const void *list, size_t length, enum field field)
{
	struct field_view view;

	if (fields_find(list, length, field, &view) != 1)
		return (struct text){ 0 };
	return (struct text){ (const char *)view.value, view.length };
}

/* The page is nginx's; what comes here is a program that asks for a sign of life. */
void service_ping(struct exchange *exchange)
{
	answer_bytes(exchange, 200, "text/plain; charset=utf-8", "ping", 4);
}

/* 2025-01-01T00:00:00Z */
static void write_timestamp(struct json_writer *writer)
{
	char text[TIMESTAMP_BYTES];
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	writer_string(writer, "timestamp", text);
}

void service_health(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!ask_info(exchange, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_string(&writer, "status", "ok");
	writer_string(&writer, "language", "python");
	writer_text(&writer, "version",
		    find_text(answer.payload.data, answer.payload.length, FIELD_PYTHON));
	writer_bool(&writer, "stateless", false);
	write_timestamp(&writer);
	answer_finish(exchange, &writer);
}

/* This process answers: all there is to know. */
void service_live(struct exchange *exchange)
{
	struct json_writer writer = answer_open(exchange, 200);

	writer_string(&writer, "status", "live");
	answer_finish(exchange, &writer);
}

void service_ready(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!ask_info(exchange, &answer))
		return;

	struct json_writer writer = answer_open(exchange, 200);
	writer_string(&writer, "status", "ready");
	answer_finish(exchange, &writer);
}

/* The limits of one profile, by the names that clients write. */
static void write_profile(struct json_writer *writer, const struct field_view *profile)
{
	struct fields_reader reader;
	struct field_view field;

	writer_text_key(writer, find_text(profile->value, profile->length, FIELD_PROFILE));
	writer_open_object(writer, NULL);
	fields_open(&reader, profile->value, profile->length);
	while (fields_next(&reader, &field) > 0)
		if (field.tag >= FIELD_WALL_MS && field.tag <= FIELD_UNDO_DEPTH)
			writer_unsigned(writer, protocol_field_name(field.tag),
					field_number(&field));
	writer_close_object(writer);
}

/* What can be imported in one, and whether its interpreters are warm. */
static void write_environment(struct json_writer *writer, const struct field_view *environment)
{
	struct fields_reader reader;
	struct field_view field;

	writer_text_key(writer, find_text(environment->value, environment->length, FIELD_NAME));
	writer_open_object(writer, NULL);
	writer_text(writer, "description",
		    find_text(environment->value, environment->length, FIELD_CONTENT));
	writer_bool(writer, "warm",
		    fields_number(environment->value, environment->length, FIELD_RUNNING, 0));
	writer_open_array(writer, "packages");
	fields_open(&reader, environment->value, environment->length);
	while (fields_next(&reader, &field) > 0)
		if (field.tag == FIELD_PACKAGE)
			writer_text(writer, NULL,
				    (struct text){ (const char *)field.value, field.length });
	writer_close_array(writer);
	writer_close_object(writer);
}

static void write_pair(struct json_writer *writer, const struct field_view *list)
{
	writer_text_key(writer, find_text(list->value, list->length, FIELD_NAME));
	if (list->tag == FIELD_COUNTER)
		writer_unsigned(writer, NULL,
				fields_number(list->value, list->length, FIELD_SIZE_BYTES, 0));
	else
		writer_text(writer, NULL, find_text(list->value, list->length, FIELD_CONTENT));
}

/* All fields of one tag as the members of an object, or the items of an array. */
static void write_all(struct json_writer *writer, const char *key, enum field tag,
		      const struct executor_answer *answer)
{
	struct fields_reader reader;
	struct field_view field;
	bool array = tag == FIELD_PACKAGE;

	if (array)
		writer_open_array(writer, key);
	else
		writer_open_object(writer, key);
	fields_open(&reader, answer->payload.data, answer->payload.length);
	while (fields_next(&reader, &field) > 0) {
		if (field.tag != (unsigned)tag)
			continue;
		if (array)
			writer_text(writer, NULL,
				    (struct text){ (const char *)field.value, field.length });
		else if (tag == FIELD_PROFILE_LIMITS)
			write_profile(writer, &field);
		else if (tag == FIELD_ENVIRONMENT_INFO)
			write_environment(writer, &field);
		else
			write_pair(writer, &field);
	}
	if (array)
		writer_close_array(writer);
	else
		writer_close_object(writer);
}

void service_info(struct exchange *exchange)
{
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

	if (!ask_info(exchange, &answer))
		return;

	const void *list = answer.payload.data;
	size_t length = answer.payload.length;
	struct json_writer writer = answer_open(exchange, 200);

	writer_string(&writer, "name", "Vivarium");
	writer_string(&writer, "version", VIVARIUM_VERSION);
	writer_text(&writer, "executor_version", find_text(list, length, FIELD_VERSION));
	writer_open_object(&writer, "python");
	writer_text(&writer, "version", find_text(list, length, FIELD_PYTHON));
	write_all(&writer, "packages", FIELD_PACKAGE, &answer);
	writer_close_object(&writer);
	write_all(&writer, "environments", FIELD_ENVIRONMENT_INFO, &answer);
	writer_open_array(&writer, "languages");
	writer_string(&writer, NULL, "python");
	writer_close_array(&writer);
	write_all(&writer, "profiles", FIELD_PROFILE_LIMITS, &answer);
	write_all(&writer, "isolation", FIELD_WALL, &answer);
	write_all(&writer, "counters", FIELD_COUNTER, &answer);
	writer_open_object(&writer, "limits");
	writer_unsigned(&writer, "body_bytes", exchange->config->body_bytes);
	writer_unsigned(&writer, "upload_bytes", exchange->config->upload_bytes);
	writer_unsigned(&writer, "code_bytes", exchange->config->code_bytes);
	writer_unsigned(&writer, "stdin_bytes", exchange->config->stdin_bytes);
	writer_unsigned(&writer, "evaluate_cases", exchange->config->evaluate_cases);
	writer_close_object(&writer);
	answer_finish(exchange, &writer);
}
