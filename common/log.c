#define _GNU_SOURCE
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

static enum log_level highest = LOG_LEVEL_INFO;

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	highest = level;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_BYTES];
	struct timespec now;
	struct tm parts;
	va_list arguments;

	if (level > highest)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
	used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s %s ",
				 now.tv_nsec / 1000000, program_invocation_short_name,
				 names[level]);
	size_t start = used;

	va_start(arguments, format);
	int more = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
	va_end(arguments);
	if (more > 0)
		used += (size_t)more < sizeof line - used - 1 ? (size_t)more
							      : sizeof line - used - 2;
	for (size_t i = start; i < used; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[used++] = '\n';
	(void)!write(STDERR_FILENO, line, used);
}

const char *log_safe(struct text text, char *out, size_t size)
{
	size_t length = text.length < size - 1 ? text.length : size - 1;

	for (size_t i = 0; i < length; i++) {
		char c = text.data[i];

		out[i] = c <= ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
	}
	out[length] = '\0';
	return out;
}
