#include "fcgi-app/http/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES = 512 };

static void start(struct exchange *exchange, int status, const char *content_type)
{
	buffer_reset(&exchange->reply);
	if (exchange->stream.free)
		exchange->stream.free(exchange->stream.context);
	exchange->stream = (struct body_stream){ 0 };
	exchange->status = status;
	exchange->content_type = content_type;
}

struct json_writer answer_open(struct exchange *exchange, int status)
{
	struct json_writer writer = JSON_WRITER(&exchange->reply);

	start(exchange, status, "application/json");
	writer_open_object(&writer, NULL);
	return writer;
}

/* Without memory there is no room for a better answer than a constant one. */
static void answer_out_of_memory(struct exchange *exchange)
{
	static const char problem[] =
		"{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
		"\"detail\":\"the answer could not be built\"}";

	start(exchange, 500, "application/problem+json");
	(void)buffer_append(&exchange->reply, problem, sizeof problem - 1);
}

void answer_finish(struct exchange *exchange, struct json_writer *writer)
{
	writer_close_object(writer);
	if (writer->error)
		answer_out_of_memory(exchange);
}

void answer_bytes(struct exchange *exchange, int status, const char *content_type,
		  const void *bytes, size_t length)
{
	start(exchange, status, content_type);
	if (buffer_append(&exchange->reply, bytes, length))
		answer_out_of_memory(exchange);
}

void answer_stream(struct exchange *exchange, int status, const char *content_type,
		   const struct body_stream *stream)
{
	start(exchange, status, content_type);
	exchange->stream = *stream;
}

void answer_nothing(struct exchange *exchange)
{
	start(exchange, 204, NULL);
}

void answer_status(struct exchange *exchange, int status)
{
	start(exchange, status, NULL);
}

void answer_header(struct exchange *exchange, const char *name, const char *value)
{
	size_t before = exchange->headers.length;

	if (buffer_append(&exchange->headers, name, strlen(name)) ||
	    buffer_append(&exchange->headers, ": ", 2) ||
	    buffer_append(&exchange->headers, value, strlen(value)) ||
	    buffer_append(&exchange->headers, "\r\n", 2))
		exchange->headers.length = before; /* no half a line */
}

void answer_header_number(struct exchange *exchange, const char *name, unsigned long value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%lu", value);
	answer_header(exchange, name, digits);
}

static struct json_writer open_problem(struct exchange *exchange, int status)
{
	struct json_writer writer = answer_open(exchange, status);

	exchange->content_type = "application/problem+json";
	writer_string(&writer, "type", "about:blank");
	writer_string(&writer, "title", http_status_title(status));
	writer_number(&writer, "status", status);
	return writer;
}

void answer_problem(struct exchange *exchange, int status, const char *detail)
{
	struct json_writer writer = open_problem(exchange, status);

	writer_string(&writer, "detail", detail);
	answer_finish(exchange, &writer);
}

void answer_field_problem(struct exchange *exchange, int status, const char *field,
			  const char *message)
{
	struct field_error error;

	snprintf(error.field, sizeof error.field, "%s", field);
	snprintf(error.message, sizeof error.message, "%s", message);
	answer_field_problems(exchange, status, &error, 1);
}

void answer_field_problems(struct exchange *exchange, int status, const struct field_error *errors,
			   size_t count)
{
	struct json_writer writer = open_problem(exchange, status);
	char detail[256];

	snprintf(detail, sizeof detail, "%.80s: %.160s", errors[0].field, errors[0].message);
	writer_string(&writer, "detail", detail);
	writer_open_array(&writer, "errors");
	for (size_t i = 0; i < count; i++) {
		writer_open_object(&writer, NULL);
		writer_string(&writer, "field", errors[i].field);
		writer_string(&writer, "message", errors[i].message);
		writer_close_object(&writer);
	}
	writer_close_array(&writer);
	answer_finish(exchange, &writer);
}

static unsigned long long length_of_body(const struct exchange *exchange)
{
	return exchange->stream.send ? exchange->stream.length : exchange->reply.length;
}

int answer_head(struct exchange *exchange)
{
	const struct gateway *gateway = exchange->gateway;
	AUTO_BUFFER head = BUFFER_INIT(0);
	char lines[HEAD_BYTES];
	int length;

	length = snprintf(lines, sizeof lines,
			  "Status: %d %s\r\nX-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\n"
			  "Cache-Control: no-store\r\n",
			  exchange->status, http_status_title(exchange->status), exchange->id);
	if (exchange->content_type)
		length += snprintf(lines + length, sizeof lines - (size_t)length,
				   "Content-Type: %s\r\n", exchange->content_type);
	if (exchange->content_type && !exchange->endless)
		length += snprintf(lines + length, sizeof lines - (size_t)length,
				   "Content-Length: %llu\r\n", length_of_body(exchange));
	if (buffer_append(&head, lines, (size_t)length) ||
	    buffer_append(&head, exchange->headers.data, exchange->headers.length) ||
	    buffer_append(&head, "\r\n", 2))
		return -ENOMEM;
	return gateway->write(gateway->context, head.data, head.length);
}

int answer_events(struct exchange *exchange)
{
	start(exchange, 200, "text/event-stream; charset=utf-8");
	answer_header(exchange, "X-Accel-Buffering", "no"); /* nginx passes on what comes */
	exchange->endless = true;
	exchange->sent = true;
	return answer_head(exchange);
}
