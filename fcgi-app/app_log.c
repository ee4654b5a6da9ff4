#include "fcgi-app/app_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

void log_line(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
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
