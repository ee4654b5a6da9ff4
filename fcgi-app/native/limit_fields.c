#include "fcgi-app/native/limit_fields.h"

#include <stdio.h>
#include <string.h>

enum {
	TIMEOUT_MOST_S = 30,
	LONG_TIMEOUT_MOST_S = 24 * 3600,
	MEMORY_MOST_MB = 65536,
	IDLE_MOST_S = 7 * 24 * 3600
};

static const struct limit_name {
	enum field limit;
	const char *name;
	const char *whole; /* with its place, for refusals */
	enum limits_of of;
	unsigned least; /* 0: none of it is a sensible wish */
} names[] = {
	{ FIELD_WALL_MS, "wall_ms",
	  "limits."
	  "wall_ms",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_CPU_MS, "cpu_ms",
	  "limits."
	  "cpu_ms",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_MEMORY_BYTES, "memory_bytes",
	  "limits."
	  "memory_bytes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_OUTPUT_BYTES, "output_bytes",
	  "limits."
	  "output_bytes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_PROCESSES, "processes",
	  "limits."
	  "processes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_OPEN_FILES, "open_files",
	  "limits."
	  "open_files",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_FILE_BYTES, "file_bytes",
	  "limits."
	  "file_bytes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_WORKSPACE_BYTES, "workspace_bytes",
	  "limits."
	  "workspace_bytes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_WORKSPACE_INODES, "workspace_inodes",
	  "limits."
	  "workspace_inodes",
	  LIMITS_OF_RUN, 1 },
	{ FIELD_IDLE_MS, "idle_ms",
	  "limits."
	  "idle_ms",
	  LIMITS_OF_SESSION, 1 },
	{ FIELD_LIFETIME_MS, "lifetime_ms",
	  "limits."
	  "lifetime_ms",
	  LIMITS_OF_SESSION, 1 },
	{ FIELD_UNDO_DEPTH, "undo_depth",
	  "limits."
	  "undo_depth",
	  LIMITS_OF_SESSION, 0 },
};

enum { NAMES = sizeof names / sizeof *names };

/* The input puts the place in front by itself. */
static const char *name_inside(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

static void set(struct input *input, struct exec_request *request, enum field limit,
		struct exec_limit value)
{
	struct exec_limit *place = &request->limits[limit - FIELD_WALL_MS];
	char message[96];

	if (place->given) {
		snprintf(message, sizeof message, "is the same as %s: give one of them",
			 place->name);
		input_wrong(input, name_inside(value.name), message);
		return;
	}
	*place = value;
}

static void read_one(struct input *input, struct exec_request *request,
		     const struct limit_name *name)
{
	size_t wrong = input->wrong;
	uint64_t value = input_whole(input, name->name, name->least, UINT64_MAX);

	if (input->wrong == wrong)
		set(input, request, name->limit,
		    (struct exec_limit){
			    .given = true, .value = value, .name = name->whole, .unit = 1 });
}

void limits_read(struct input *input, enum limits_of of, struct exec_request *request)
{
	struct text limits = input_object(input, "limits");

	if (!limits.data)
		return;
	input_enter(input, limits, "limits");
	for (size_t i = 0; i < NAMES; i++) {
		if (!input_has(input, names[i].name))
			continue;
		if (names[i].of > of)
			input_wrong(input, names[i].name, "is a limit of sessions");
		else
			read_one(input, request, &names[i]);
	}
	input_refuse_unknown(input);
	input_leave(input);
}

/* A limit with a name of its own: `value` in the protocol's unit, 0 if absent. */
static void set_named(struct input *input, struct exec_request *request, enum field limit,
		      const char *name, unsigned unit, uint64_t value)
{
	if (value)
		set(input, request, limit,
		    (struct exec_limit){
			    .given = true, .value = value, .name = name, .unit = unit });
}

void limits_read_timeout(struct input *input, struct exec_request *request, bool long_run)
{
	unsigned most_s = long_run ? LONG_TIMEOUT_MOST_S : TIMEOUT_MOST_S;

	set_named(input, request, FIELD_WALL_MS, "timeout", 1000,
		  input_seconds_ms(input, "timeout", 1, most_s));
}

void limits_read_memory(struct input *input, struct exec_request *request)
{
	set_named(input, request, FIELD_MEMORY_BYTES, "memory_mb", 1 << 20,
		  input_whole(input, "memory_mb", 1, MEMORY_MOST_MB) << 20);
}

void limits_read_idle(struct input *input, struct exec_request *request)
{
	set_named(input, request, FIELD_IDLE_MS, "idle_timeout", 1000,
		  input_seconds_ms(input, "idle_timeout", 1, IDLE_MOST_S));
}
