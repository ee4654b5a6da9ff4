/* limit_fields.h - the limits that a native request asks for, under its own names. */
#ifndef VIVARIUM_LIMIT_FIELDS_H
#define VIVARIUM_LIMIT_FIELDS_H

#include "fcgi-app/execution/executor_client.h"
#include "fcgi-app/http/json_input.h"

enum limits_of { LIMITS_OF_RUN, LIMITS_OF_SESSION };

/* "limits": {"wall_ms": 5000, ...}. A session has some more than a run. Whether
 * they are within the profile's is the executor's business. */
void limits_read(struct input *input, enum limits_of of, struct exec_request *request);

/* "timeout", seconds: wall_ms. A run that is streamed or detached may be long: how long,
 * the executor says. */
void limits_read_timeout(struct input *input, struct exec_request *request, bool long_run);

/* "memory_mb": memory_bytes. */
void limits_read_memory(struct input *input, struct exec_request *request);

/* "idle_timeout", seconds: idle_ms. */
void limits_read_idle(struct input *input, struct exec_request *request);

#endif
