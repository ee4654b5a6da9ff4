#define _GNU_SOURCE
#include "fcgi-app/http/file_headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* ---- media types --------------------------------------------------------- */

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
