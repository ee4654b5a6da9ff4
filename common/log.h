/* log.h - one event, one line, on stderr. */
#ifndef VIVARIUM_LOG_H
#define VIVARIUM_LOG_H

#include <stddef.h>

#include "common/bytes.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped. */
void log_set_level(enum log_level level);

/* Write one line, whole and at once, so that threads do not mix theirs: time, program,
 * level, text. A line that is too long is cut; control characters in it are replaced, so
 * that no name a client made up can forge a line. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* The text with everything but plain printable ASCII replaced, and cut to fit: for
 * name="value" in a line. Returns out. */
const char *log_safe(struct text text, char *out, size_t size);

#endif
