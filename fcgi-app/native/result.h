/* result.h - the native API's result object. */
#ifndef VIVARIUM_RESULT_H
#define VIVARIUM_RESULT_H

#include "fcgi-app/http/json_writer.h"
#include "fcgi-app/execution/outcome.h"

/* All members of the result but "files", into an object that is open.
 * `session_id` absent for a one-shot. */
void result_write(struct json_writer *writer, const struct outcome *outcome,
		  struct text session_id);

/* One output that the program displayed: JSON text that it made. False, and nothing
 * written, if it is none that can be shown. */
bool result_write_display(struct json_writer *writer, struct text display);

/* "outputs": all of a list of FIELD_CONTENT. */
void result_write_outputs(struct json_writer *writer, struct text displays);

/* Its parts for other answers: "exception", null where the program raised none,
 * and "usage". */
void result_write_exception(struct json_writer *writer, const struct outcome *outcome);
void result_write_usage(struct json_writer *writer, const struct outcome *outcome);

#endif
