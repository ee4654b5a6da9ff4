/* json_writer.c - JSON into a buffer; base64. */
#include "fcgi-app/http/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct json_writer *writer, const void *bytes, size_t length)
{
	if (!writer->error)
		writer->error = buffer_append(writer->out, bytes, length);
}

static void put_string(struct json_writer *writer, const char *string)
{
	put(writer, string, strlen(string));
}

static void put_escaped_byte(struct json_writer *writer, uint8_t byte)
{
	static const char short_escapes[0x20] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};
	char escape[8];

	if (byte == '"' || byte == '\\')
		snprintf(escape, sizeof escape, "\\%c", byte);
	else if (byte < sizeof short_escapes && short_escapes[byte])
		snprintf(escape, sizeof escape, "\\%c", short_escapes[byte]);
	else
		snprintf(escape, sizeof escape, "\\u%04x", byte);
	put_string(writer, escape);
}

/* Copies runs of bytes that need nothing, and stops only at those that do. */
static void put_quoted(struct json_writer *writer, struct text text)
{
	const uint8_t *at = (const uint8_t *)text.data;
	const uint8_t *end = at + text.length;
	const uint8_t *run = at;

	put(writer, "\"", 1);
	while (at < end) {
		bool valid = true;
		size_t step = 1;

		if (*at >= 0x80)
			step = text_utf8_step(at, (size_t)(end - at), &valid);
		else if (*at < 0x20 || *at == '"' || *at == '\\')
			valid = false;
		if (valid) {
			at += step;
			continue;
		}
		put(writer, run, (size_t)(at - run));
		if (*at < 0x80)
			put_escaped_byte(writer, *at);
		else
			put_string(writer, "\xef\xbf\xbd");
		at += step;
		run = at;
	}
	put(writer, run, (size_t)(at - run));
	put(writer, "\"", 1);
}

static void put_key(struct json_writer *writer, const char *key)
{
	if (writer->need_comma)
		put(writer, ",", 1);
	writer->need_comma = true;
	if (key) {
		put(writer, "\"", 1);
		put_string(writer, key);
		put(writer, "\":", 2);
	}
}

void writer_text_key(struct json_writer *writer, struct text key)
{
	if (writer->need_comma)
		put(writer, ",", 1);
	put_quoted(writer, key);
	put(writer, ":", 1);
	writer->need_comma = false; /* the value that follows is no new member */
}

void writer_open_object(struct json_writer *writer, const char *key)
{
	put_key(writer, key);
	put(writer, "{", 1);
	writer->need_comma = false;
}

void writer_close_object(struct json_writer *writer)
{
	put(writer, "}", 1);
	writer->need_comma = true;
}

void writer_open_array(struct json_writer *writer, const char *key)
{
	put_key(writer, key);
	put(writer, "[", 1);
	writer->need_comma = false;
}

void writer_close_array(struct json_writer *writer)
{
	put(writer, "]", 1);
	writer->need_comma = true;
}

void writer_text(struct json_writer *writer, const char *key, struct text value)
{
	put_key(writer, key);
	if (value.data)
		put_quoted(writer, value);
	else
		put_string(writer, "null");
}

void writer_json(struct json_writer *writer, const char *key, struct text value)
{
	size_t offset;

	if (!value.data || json_check(value.data, value.length, &offset)) {
		writer_text(writer, key, value);
		return;
	}
	put_key(writer, key);
	put(writer, value.data, value.length);
}

void writer_string(struct json_writer *writer, const char *key, const char *value)
{
	writer_text(writer, key, text_of(value));
}

void writer_base64(struct json_writer *writer, const char *key, struct text bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *at = (const uint8_t *)bytes.data;

	put_key(writer, key);
	put(writer, "\"", 1);
	for (size_t left = bytes.length; left;
	     at += left < 3 ? left : 3, left -= left < 3 ? left : 3) {
		uint32_t three = (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0) |
				 (left > 2 ? at[2] : 0);
		char four[4] = { digits[three >> 18], digits[three >> 12 & 63],
				 left > 1 ? digits[three >> 6 & 63] : '=',
				 left > 2 ? digits[three & 63] : '=' };

		put(writer, four, sizeof four);
	}
	put(writer, "\"", 1);
}

void writer_number(struct json_writer *writer, const char *key, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%" PRId64, value);
	put_key(writer, key);
	put_string(writer, digits);
}

void writer_unsigned(struct json_writer *writer, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%" PRIu64, value);
	put_key(writer, key);
	put_string(writer, digits);
}

void writer_decimal(struct json_writer *writer, const char *key, uint64_t value, int decimals)
{
	uint64_t scale = 1;
	char digits[48];

	for (int i = 0; i < decimals; i++)
		scale *= 10;
	int length = snprintf(digits, sizeof digits, "%" PRIu64 ".%0*" PRIu64, value / scale,
			      decimals, value % scale);
	while (length > 3 && digits[length - 1] == '0' && digits[length - 2] != '.')
		digits[--length] = '\0';
	put_key(writer, key);
	put_string(writer, digits);
}

void writer_bool(struct json_writer *writer, const char *key, bool value)
{
	put_key(writer, key);
	put_string(writer, value ? "true" : "false");
}

void writer_null(struct json_writer *writer, const char *key)
{
	put_key(writer, key);
	put_string(writer, "null");
}

/* ---- base64 -------------------------------------------------------------------------- */

/* The value of a digit, -1 for what is none. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct text text, struct buffer *out)
{
	size_t before = out->length;

	if (text.length % 4)
		return -EINVAL;
	if (buffer_reserve(out, text.length / 4 * 3))
		return -ENOMEM;
	for (size_t i = 0; i < text.length; i += 4) {
		const char *at = text.data + i;
		bool last = i + 4 == text.length;
		int padding = last && at[3] == '=' ? (at[2] == '=' ? 2 : 1) : 0;
		int values[4] = { digit(at[0]), digit(at[1]), padding == 2 ? 0 : digit(at[2]),
				  padding ? 0 : digit(at[3]) };

		if (values[0] < 0 || values[1] < 0 || values[2] < 0 || values[3] < 0 ||
		    (padding == 2 && values[1] & 15) || (padding == 1 && values[2] & 3)) {
			out->length = before;
			return -EINVAL;
		}
		uint32_t three = (uint32_t)values[0] << 18 | (uint32_t)values[1] << 12 |
				 (uint32_t)values[2] << 6 | (uint32_t)values[3];
		out->data[out->length++] = (uint8_t)(three >> 16);
		if (padding < 2)
			out->data[out->length++] = (uint8_t)(three >> 8);
		if (padding < 1)
			out->data[out->length++] = (uint8_t)three;
	}
	return 0;
}
