/* request.h - what a call asks for, checked. */
#ifndef VIVARIUM_REQUEST_H
#define VIVARIUM_REQUEST_H

#include <stdbool.h>

#include "common/fields.h"
#include "executor/run/profile.h"
#include "executor/server/server.h"

/* Each refuses the call, naming the field, and returns false if it is wrong. */
bool req_profile(struct call *call, const struct profile **ret_profile);
bool req_limits(struct call *call, const struct limits *base, struct limits *ret_limits);
/* Of a run: with FIELD_STREAM or FIELD_DETACH it may ask for more than is usual, unless
 * `usual` is less than the profile has. */
struct options;
bool req_run_limits(struct call *call, const struct limits *usual, const struct profile *profile,
		    const struct options *options, struct limits *ret_limits);
bool req_session_limits(struct call *call, const struct session_limits *base,
			struct session_limits *ret_limits);
bool req_code(struct call *call, struct field_view *ret_code);

/* Empty without one. */
struct field_view req_optional(const struct call *call, unsigned field);

/* 0 without one. */
uint64_t req_number(const struct call *call, unsigned field);

/* Refuse files that sandbox_admit_files() or sandbox_share_workspace() has refused. */
void req_refuse_files(struct call *call, int error);

/* Refuse because our own machinery failed; logs it. */
void req_refuse_internal(struct call *call, const char *what, int error);

#endif
