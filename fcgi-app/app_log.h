/* app_log.h - one line an event on standard error. */
#ifndef VIVARIUM_APP_LOG_H
#define VIVARIUM_APP_LOG_H

#include <stddef.h>

#include "fcgi-app/http/text.h"

/* Write one line, whole and at once, so that threads do not mix theirs. A line
 * that is too long is cut. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* The text with everything but plain printable ASCII replaced, and cut to fit:
 * what a client sent must not forge lines. Returns out. */
const char *log_safe(struct text text, char *out, size_t size);

#endif
