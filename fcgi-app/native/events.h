/* events.h - a run as a stream of events, for native clients that ask for one. */
#ifndef VIVARIUM_EVENTS_H
#define VIVARIUM_EVENTS_H

#include "fcgi-app/execution/exec_run.h"
#include "fcgi-app/http/json_writer.h"

/* Writes the members of the `result` event that are not the outcome's. */
typedef void events_finish(struct json_writer *writer, const struct executor_answer *answer,
			   void *context);

/* Ask for the run and pass its events on until it has ended. What goes wrong before the
 * program starts is an ordinary answer; false: it has been given, or is the caller's
 * to give (see run_ask()), or the client is gone. */
bool events_run(struct exchange *exchange, struct exec_request *request, events_finish *finish,
		void *context);

#endif
