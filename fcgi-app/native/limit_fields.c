#include "fcgi-app/native/limit_fields.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "limits."

enum {
	TIMEOUT_MOST_S = 30,
	LONG_TIMEOUT_MOST_S = 24 * 3600,
	MEMORY_MOST_MB = 65536,
	IDLE_MOST_S = 7 * 24 * 3600
};

static const struct limit_name {
	enum field limit;
	const char *name;
	enum limits_of of;
	unsigned least; /* 0: none of it is a sensible wish */
} names[] = {
	{ FIELD_WALL_MS, PREFIX "wall_ms", LIMITS_OF_RUN, 1 },
	{ FIELD_CPU_MS, PREFIX "cpu_ms", LIMITS_OF_RUN, 1 },
	{ FIELD_MEMORY_BYTES, PREFIX "memory_bytes", LIMITS_OF_RUN, 1 },
	{ FIELD_OUTPUT_BYTES, PREFIX "output_bytes", LIMITS_OF_RUN, 1 },
	{ FIELD_PROCESSES, PREFIX "processes", LIMITS_OF_RUN, 1 },
	{ FIELD_OPEN_FILES, PREFIX "open_files", LIMITS_OF_RUN, 1 },
	{ FIELD_FILE_BYTES, PREFIX "file_bytes", LIMITS_OF_RUN, 1 },
	{ FIELD_WORKSPACE_BYTES, PREFIX "workspace_bytes", LIMITS_OF_RUN, 1 },
	{ FIELD_WORKSPACE_INODES, PREFIX "workspace_inodes", LIMITS_OF_RUN, 1 },
	{ FIELD_IDLE_MS, PREFIX "idle_ms", LIMITS_OF_SESSION, 1 },
	{ FIELD_LIFETIME_MS, PREFIX "lifetime_ms", LIMITS_OF_SESSION, 1 },
	{ FIELD_UNDO_DEPTH, PREFIX "undo_depth", LIMITS_OF_SESSION, 0 },
};

enum { NAMES = sizeof names / sizeof *names };

static const struct limit_name *find(const char *name)
{
	for (size_t i = 0; i < NAMES; i++)
		if (!strcmp(names[i].name + strlen(PREFIX), name))
			return &names[i];
	return NULL;
}

static void set(struct input *input, struct exec_request *request, enum field limit,
		struct exec_limit value)
{
	struct exec_limit *place = &request->limits[limit - FIELD_WALL_MS];
	char message[96];

	if (place->given) {
		snprintf(message, sizeof message, "is the same as %s: give one of them",
			 place->name);
		input_wrong(input, value.name, message);
		return;
	}
	*place = value;
}

static void read_one(struct input *input, struct exec_request *request,
		     const struct limit_name *name, struct json_object *value)
{
	char message[64];

	if (!json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) < (int64_t)name->least) {
		snprintf(message, sizeof message, "must be a whole number of at least %u",
			 name->least);
		input_wrong(input, name->name, message);
		return;
	}
	set(input, request, name->limit,
	    (struct exec_limit){ .given = true,
				 .value = (uint64_t)json_object_get_int64(value),
				 .name = name->name,
				 .unit = 1 });
}

void limits_read(struct input *input, enum limits_of of, struct exec_request *request)
{
	struct json_object *limits = input_object(input, "limits");

	if (!limits)
		return;
	json_object_object_foreach(limits, key, value)
	{
		const struct limit_name *name = find(key);
		char field[64];

		if (!name || name->of > of) {
			snprintf(field, sizeof field, PREFIX "%s", key);
			input_wrong(input, field,
				    name ? "is a limit of sessions" : "is not the name of a limit");
		} else if (value) {
			read_one(input, request, name, value);
		}
	}
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
