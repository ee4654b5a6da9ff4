/* result.h - the native API's result object. */
#ifndef VIVARIUM_RESULT_H
#define VIVARIUM_RESULT_H

#include "fcgi-app/http/json_writer.h"
#include "fcgi-app/execution/outcome.h"

/* All members of the result but "files", into an object that is open.
 * `session_id` absent for a one-shot. */
void result_write(struct json_writer *writer, const struct outcome *outcome,
		  struct text session_id);

/* Its parts for other answers: "exception", null where the program raised none,
 * and "usage". */
void result_write_exception(struct json_writer *writer, const struct outcome *outcome);
void result_write_usage(struct json_writer *writer, const struct outcome *outcome);

#endif
