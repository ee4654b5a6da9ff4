#define _GNU_SOURCE
#include "fcgi-app/http/http.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static const char *const method_names[METHOD_COUNT] = {
	[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};

static const struct {
	int status;
	const char *title;
} titles[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ HTTP_CLIENT_GONE, "Client Closed Request" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 507, "Insufficient Storage" },
};

enum method http_method(const char *word)
{
	for (int method = 0; method < METHOD_COUNT; method++)
		if (!strcmp(word, method_names[method]))
			return (enum method)method;
	return METHOD_UNKNOWN;
}

const char *http_method_name(enum method method)
{
	return method < METHOD_COUNT ? method_names[method] : "?";
}

const char *http_status_title(int status)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Unknown";
}

static struct text media_type(const char *content_type)
{
	size_t length;

	content_type += strspn(content_type, " \t");
	length = strcspn(content_type, ";, \t");
	return (struct text){ content_type, length };
}

bool http_media_type_is(const char *content_type, const char *type)
{
	struct text media = media_type(content_type);

	return media.length == strlen(type) && !strncasecmp(media.data, type, media.length);
}

/* The value of charset=, without quotes; absent if there is none. */
static struct text charset(const char *content_type)
{
	const char *at = strcasestr(content_type, "charset=");
	size_t length;

	if (!at)
		return (struct text){ 0 };
	at += strlen("charset=");
	at += *at == '"';
	length = strcspn(at, "\"; \t,");
	return (struct text){ at, length };
}

bool http_is_json(const char *content_type)
{
	struct text media = media_type(content_type);
	struct text set = charset(content_type);

	if (set.data && !(set.length == 5 && !strncasecmp(set.data, "utf-8", 5)) &&
	    !(set.length == 4 && !strncasecmp(set.data, "utf8", 4)))
		return false;
	if (http_media_type_is(content_type, "application/json"))
		return true;
	return media.length > strlen("application/+json") &&
	       !strncasecmp(media.data, "application/", strlen("application/")) &&
	       !strncasecmp(media.data + media.length - strlen("+json"), "+json", strlen("+json"));
}

/* q=0.8 as 800. */
static int quality(struct text range)
{
	char copy[96];
	char *parameter;

	if (range.length >= sizeof copy)
		return 0;
	memcpy(copy, range.data, range.length);
	copy[range.length] = '\0';
	parameter = strcasestr(copy, "q=");
	if (!parameter)
		return 1000;
	parameter += 2;

	int whole = *parameter == '1';
	int thousandths = 0;
	if (parameter[0] && parameter[1] == '.')
		for (int i = 2, scale = 100; parameter[i] >= '0' && parameter[i] <= '9' && scale;
		     i++, scale /= 10)
			thousandths += (parameter[i] - '0') * scale;
	return whole ? 1000 : thousandths;
}

int http_accepts(const char *accept, const char *type)
{
	const char *slash = strchr(type, '/');
	int best_specific = -1, best_quality = accept && *accept ? 0 : 1000;

	for (const char *at = accept; at && *at; at += *at == ',') {
		struct text range = { at, strcspn(at, ",") };
		struct text media = media_type(at);
		int specific = -1;

		if (media.length == strlen(type) && !strncasecmp(media.data, type, media.length))
			specific = 2;
		else if (media.length == (size_t)(slash - type) + 2 &&
			 !strncasecmp(media.data, type, (size_t)(slash - type) + 1) &&
			 media.data[media.length - 1] == '*')
			specific = 1;
		else if (media.length == 3 && !strncmp(media.data, "*/*", 3))
			specific = 0;
		if (specific > best_specific) {
			best_specific = specific;
			best_quality = quality(range);
		}
		at += range.length;
	}
	return best_quality;
}

const char *http_variable(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (char *const *at = environment; at && *at; at++)
		if (!strncmp(*at, name, length) && (*at)[length] == '=')
			return *at + length + 1;
	return "";
}

/* ---- percent encoding, forms ---------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long form_decode(struct text source, bool plus, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < source.length; i++) {
		char c = source.data[i];

		if (c == '%') {
			int high = i + 2 < source.length ? hex_digit(source.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(source.data[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[length++] = c;
	}
	return (long)length;
}

/* Does `encoded` decode to `name`? Names are short; a longer one is another. */
static int name_matches(struct text encoded, const char *name)
{
	char decoded[64];
	long length;

	if (encoded.length > sizeof decoded)
		return 0;
	length = form_decode(encoded, true, decoded);
	if (length < 0)
		return (int)length;
	return (size_t)length == strlen(name) && !memcmp(decoded, name, (size_t)length);
}

static int decode_value(struct text encoded, struct text *ret_value, char **ret_storage)
{
	char *storage = malloc(encoded.length + 1);
	long length;

	if (!storage)
		return -ENOMEM;
	length = form_decode(encoded, true, storage);
	if (length < 0) {
		free(storage);
		return (int)length;
	}
	storage[length] = '\0';
	*ret_value = (struct text){ .data = storage, .length = (size_t)length };
	*ret_storage = storage;
	return 1;
}

int form_find(struct text list, const char *name, struct text *ret_value, char **ret_storage)
{
	const char *at = list.data;
	const char *end = at + list.length;

	while (at && at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		struct text key = { at, (size_t)((equals ? equals : stop) - at) };
		const char *value = equals ? equals + 1 : stop;

		int matches = name_matches(key, name);
		if (matches < 0)
			return matches;
		if (matches)
			return decode_value((struct text){ value, (size_t)(stop - value) },
					    ret_value, ret_storage);
		at = stop + 1;
	}
	return 0;
}

/* ---- targets -------------------------------------------------------------- */

/* The last piece may be empty (a trailing slash), no other. */
static bool piece_allowed(struct text piece, bool last)
{
	if (piece.length == 0)
		return last;
	if (text_equals(piece, ".") || text_equals(piece, ".."))
		return false;
	return !memchr(piece.data, '\0', piece.length) && utf8_valid(piece.data, piece.length);
}

static int split(const char *path, size_t length, bool encoded, struct target *target)
{
	char *out = target->storage;
	const char *at = path;
	const char *end = path + length;

	if (length == 0 || *at != '/')
		return -EINVAL;
	for (at++;; at++) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		struct text raw = { at, (size_t)((stop ? stop : end) - at) };
		long decoded = (long)raw.length;

		if (target->count == TARGET_PIECES_MAX)
			return -ENAMETOOLONG;
		if (encoded)
			decoded = form_decode(raw, false, out);
		else
			memcpy(out, raw.data, raw.length);
		if (decoded < 0)
			return (int)decoded;

		struct text piece = { out, (size_t)decoded };
		if (!piece_allowed(piece, !stop))
			return -EINVAL;
		target->pieces[target->count++] = piece;
		out += decoded;
		*out++ = '\0';
		if (!stop)
			return 0;
		at = stop;
	}
}

static int parse(const char *path, size_t length, const char *query, bool encoded,
		 struct target *ret_target)
{
	/* Each piece gives back its slash for its NUL; one more for the last. */
	struct target target = { .storage = malloc(length + 2), .query = query };
	int error;

	if (!target.storage)
		return -ENOMEM;
	error = split(path, length, encoded, &target);
	if (error) {
		free(target.storage);
		return error;
	}
	*ret_target = target;
	return 0;
}

int target_parse(const char *uri, struct target *ret_target)
{
	size_t length = strcspn(uri, "?");

	return parse(uri, length, uri[length] ? uri + length + 1 : "", true, ret_target);
}

int target_parse_decoded(const char *path, const char *query, struct target *ret_target)
{
	return parse(path, strlen(path), query, false, ret_target);
}

void target_free(struct target *target)
{
	free(target->storage);
	target->storage = NULL;
}

/* ---- ids ------------------------------------------------------------------- */

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool id_is_strict(struct text id)
{
	size_t length = strlen(ID_STRICT_PREFIX);

	return id.length >= length && !memcmp(id.data, ID_STRICT_PREFIX, length);
}

bool id_valid(struct text id)
{
	if (!id.data || id.length == 0 || id.length > ID_LENGTH_MAX || !is_alphanumeric(id.data[0]))
		return false;
	for (size_t i = 1; i < id.length; i++)
		if (!is_alphanumeric(id.data[i]) && id.data[i] != '.' && id.data[i] != '_' &&
		    id.data[i] != '-')
			return false;
	return !id_is_strict(id);
}

int id_make_uuid(char ret_uuid[UUID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	char *at = ret_uuid;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return -EIO;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof bytes; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	*at = '\0';
	return 0;
}
