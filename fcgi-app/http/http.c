#define _GNU_SOURCE
#include "fcgi-app/http/http.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

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
