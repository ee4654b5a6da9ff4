#define _GNU_SOURCE
#include "fcgi-app/http/media_types.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

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
