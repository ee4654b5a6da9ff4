/* profile.h - what one run, or one session, may use at most; and named sets of these
 * limits, one for each kind of client. */
#ifndef VIVARIUM_PROFILE_H
#define VIVARIUM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits {
	uint64_t wall_ms;
	uint64_t cpu_ms;
	uint64_t memory_bytes;
	uint64_t output_bytes; /* of stdout and stderr together */
	uint64_t processes;    /* and threads */
	uint64_t open_files;   /* a process */
	uint64_t file_bytes;   /* a single file */
	uint64_t workspace_bytes; /* all that can be written: /workspace, /tmp, /dev/shm */
	uint64_t workspace_inodes;
};

struct session_limits {
	uint64_t idle_ms;     /* it lives so long without a request */
	uint64_t lifetime_ms; /* and in no case longer than that */
	uint64_t undo_depth;  /* cells that can be undone */
};

enum profile_id {
	PROFILE_NATIVE,     /* the native API and the execution agent */
	PROFILE_PLAYGROUND,
	PROFILE_REPL,
	PROFILE_WORKSPACE,
	PROFILE_STRICT,     /* the session server with strict limits */
	PROFILE_COUNT
};

struct profile {
	const char *name;
	char *environment;     /* the package environment of who names none */
	struct limits limits;
	bool readonly;         /* the file-system profile `readonly` */
	uint64_t sessions;     /* at most, of this profile */
	struct session_limits session;
};

extern struct profile profiles[PROFILE_COUNT]; /* filled by options.c, then constant */

/* By name; NULL if there is none. */
const struct profile *profile_find(const char *name, size_t length);

struct buffer;

struct limit_error {
	unsigned field;
	uint64_t least, most; /* what it may be */
};

/* `base` lowered by the fields of a request, and where these name none by its
 * FIELD_DEFAULTS, which are moved to what is allowed. 0; or -EINVAL with the field that
 * asks for more, or for too little, in *ret_error. */
int limits_lower(const struct limits *base, const void *fields, size_t length,
		 struct limits *ret_limits, struct limit_error *ret_error);

/* The same, where a request may ask for more than is usual, up to `most`. */
int limits_within(const struct limits *usual, const struct limits *most, const void *fields,
		  size_t length, struct limits *ret_limits, struct limit_error *ret_error);

/* The same for what only sessions have. */
int session_limits_lower(const struct session_limits *base, const void *fields, size_t length,
			 struct session_limits *ret_limits, struct limit_error *ret_error);

/* Append limits as fields. 0 or -errno. */
int limits_put(const struct limits *limits, struct buffer *list);
int session_limits_put(const struct session_limits *limits, struct buffer *list);

#endif
