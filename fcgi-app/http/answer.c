#define _GNU_SOURCE
#include "fcgi-app/http/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* ---- about a file ------------------------------------------------------------------- */

const char *etag_of(const struct stat *file, char ret_etag[ETAG_BYTES])
{
	snprintf(ret_etag, ETAG_BYTES, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%08lx\"",
		 (uint64_t)file->st_ino, (uint64_t)file->st_size, (uint64_t)file->st_mtim.tv_sec,
		 (unsigned long)file->st_mtim.tv_nsec);
	return ret_etag;
}

/* Is the tag in the list? Only If-None-Match takes weak ones ("W/" in front). */
static bool listed(const char *list, const char *etag, bool weak)
{
	size_t length = strlen(etag);

	while (*list) {
		list += strspn(list, " \t,");
		if (weak && !strncmp(list, "W/", 2))
			list += 2;
		if (!strncmp(list, etag, length) && (!list[length] || strchr(" \t,", list[length])))
			return true;
		if (*list == '"') { /* a tag may hold a comma */
			const char *end = strchr(list + 1, '"');

			if (!end)
				return false;
			list = end + 1;
		} else {
			list += strcspn(list, " \t,");
		}
	}
	return false;
}

bool if_match_holds(const char *if_match, const struct stat *found)
{
	char etag[ETAG_BYTES];

	if (!*if_match)
		return true;
	if (!found)
		return false;
	return !strcmp(if_match, "*") || listed(if_match, etag_of(found, etag), false);
}

bool if_none_match_holds(const char *if_none_match, const struct stat *found)
{
	char etag[ETAG_BYTES];

	if (!*if_none_match || !found)
		return true;
	return strcmp(if_none_match, "*") && !listed(if_none_match, etag_of(found, etag), true);
}

/* Digits up to something else; false without any, or with too many. */
static bool read_digits(const char **at, uint64_t *ret_value)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (*at - start == 18)
			return false;
		value = value * 10 + (uint64_t)(**at - '0');
	}
	*ret_value = value;
	return *at > start;
}

enum range range_read(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_length)
{
	uint64_t first = 0, last = UINT64_MAX;
	const char *at = header;
	bool has_first, has_last;

	if (strncmp(header, "bytes=", strlen("bytes=")) != 0)
		return RANGE_ALL;
	at += strlen("bytes=");
	has_first = read_digits(&at, &first);
	if (*at++ != '-')
		return RANGE_ALL;
	has_last = read_digits(&at, &last);
	if (*at || !(has_first || has_last) || (has_first && has_last && last < first))
		return RANGE_ALL;
	if (!has_first) { /* the last so many bytes */
		if (last == 0 || size == 0)
			return RANGE_OUTSIDE;
		first = last < size ? size - last : 0;
		last = size - 1;
	}
	if (first >= size)
		return RANGE_OUTSIDE;
	if (!has_last || last >= size)
		last = size - 1;
	*ret_first = first;
	*ret_length = last - first + 1;
	return RANGE_PART;
}

static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".bmp", "image/bmp" },
	{ ".c", "text/plain; charset=utf-8" },
	{ ".cfg", "text/plain; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".csv", "text/csv; charset=utf-8" },
	{ ".gif", "image/gif" },
	{ ".gz", "application/gzip" },
	{ ".h", "text/plain; charset=utf-8" },
	{ ".htm", "text/html; charset=utf-8" },
	{ ".html", "text/html; charset=utf-8" },
	{ ".ini", "text/plain; charset=utf-8" },
	{ ".ipynb", "application/x-ipynb+json" },
	{ ".jpeg", "image/jpeg" },
	{ ".jpg", "image/jpeg" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".log", "text/plain; charset=utf-8" },
	{ ".md", "text/markdown; charset=utf-8" },
	{ ".mp3", "audio/mpeg" },
	{ ".mp4", "video/mp4" },
	{ ".pdf", "application/pdf" },
	{ ".png", "image/png" },
	{ ".py", "text/x-python; charset=utf-8" },
	{ ".sh", "text/x-sh; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
	{ ".tar", "application/x-tar" },
	{ ".toml", "application/toml" },
	{ ".tsv", "text/tab-separated-values; charset=utf-8" },
	{ ".txt", "text/plain; charset=utf-8" },
	{ ".wav", "audio/wav" },
	{ ".webp", "image/webp" },
	{ ".xml", "application/xml" },
	{ ".yaml", "application/yaml" },
	{ ".yml", "application/yaml" },
	{ ".zip", "application/zip" },
};

const char *media_type_of(const char *name)
{
	const char *suffix = strrchr(name, '.');

	for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
		if (!strcasecmp(suffix, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}
