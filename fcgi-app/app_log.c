#define _GNU_SOURCE
#include "fcgi-app/app_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

/* 2026-11-21T11:28:38.083Z fcgi-app, as the executor's lines begin. */
static int write_stamp(char *line, size_t size)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t used = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &parts);
	return (int)used + snprintf(line + used, size - used, ".%03ldZ fcgi-app ",
				    now.tv_nsec / 1000000);
}

void log_line(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;
	int length = write_stamp(line, sizeof line);

	va_start(arguments, format);
	int more = vsnprintf(line + length, sizeof line - 1 - (size_t)length, format, arguments);
	va_end(arguments);
	if (more < 0)
		return;
	length += more;
	if ((size_t)length > sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';

	/* Nobody is left to tell if standard error is gone. */
	ssize_t written = write(STDERR_FILENO, line, (size_t)length);
	(void)written;
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
