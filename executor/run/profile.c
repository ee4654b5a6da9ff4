#include "executor/run/profile.h"

#include <errno.h>
#include <string.h>

#include "common/fields.h"

struct profile profiles[PROFILE_COUNT] = {
	[PROFILE_NATIVE] = { .name = "native" },
	[PROFILE_PLAYGROUND] = { .name = "playground" },
	[PROFILE_REPL] = { .name = "repl" },
	[PROFILE_WORKSPACE] = { .name = "workspace" },
	[PROFILE_STRICT] = { .name = "strict", .readonly = true },
};

/* A limit in a struct of nothing but limits. */
struct limit_field {
	unsigned field;
	size_t offset;
	uint64_t least; /* below it nothing runs, or the kernel refuses it */
};

static const struct limit_field run_fields[] = {
	{ FIELD_WALL_MS, offsetof(struct limits, wall_ms), 1 },
	{ FIELD_CPU_MS, offsetof(struct limits, cpu_ms), 1 },
	{ FIELD_MEMORY_BYTES, offsetof(struct limits, memory_bytes), 16 << 20 },
	{ FIELD_OUTPUT_BYTES, offsetof(struct limits, output_bytes), 1 },
	{ FIELD_PROCESSES, offsetof(struct limits, processes), 1 },
	{ FIELD_OPEN_FILES, offsetof(struct limits, open_files), 16 },
	{ FIELD_FILE_BYTES, offsetof(struct limits, file_bytes), 1 },
	{ FIELD_WORKSPACE_BYTES, offsetof(struct limits, workspace_bytes), 64 << 10 },
	{ FIELD_WORKSPACE_INODES, offsetof(struct limits, workspace_inodes), 16 },
};

static const struct limit_field session_fields[] = {
	{ FIELD_IDLE_MS, offsetof(struct session_limits, idle_ms), 1 },
	{ FIELD_LIFETIME_MS, offsetof(struct session_limits, lifetime_ms), 1 },
	{ FIELD_UNDO_DEPTH, offsetof(struct session_limits, undo_depth), 0 },
};

enum {
	RUN_FIELDS = sizeof run_fields / sizeof *run_fields,
	SESSION_FIELDS = sizeof session_fields / sizeof *session_fields,
};

const struct profile *profile_find(const char *name, size_t length)
{
	for (size_t i = 0; i < PROFILE_COUNT; i++)
		if (strlen(profiles[i].name) == length && !memcmp(profiles[i].name, name, length))
			return &profiles[i];
	return NULL;
}

/* What holds where nothing is asked for: never wrong, only moved to what is allowed. */
static uint64_t default_of(const struct limit_field *row, uint64_t usual, uint64_t most,
			   const struct field_view *defaults)
{
	uint64_t value = fields_number(defaults->value, defaults->length, row->field, usual);

	if (value < row->least)
		value = row->least;
	return value < most ? value : most;
}

static uint64_t read_row(const void *limits, const struct limit_field *row)
{
	uint64_t value;

	memcpy(&value, (const char *)limits + row->offset, sizeof value);
	return value;
}

/* `limits` holds what is usual, and then what comes of it. */
static int lower(const struct limit_field *rows, size_t count, void *limits, const void *most_of,
		 const void *fields, size_t length, struct limit_error *ret_error)
{
	struct field_view defaults = { .value = (const uint8_t *)"" };

	(void)fields_find(fields, length, FIELD_DEFAULTS, &defaults);
	for (size_t i = 0; i < count; i++) {
		uint64_t most = read_row(most_of, &rows[i]);
		uint64_t usual = default_of(&rows[i], read_row(limits, &rows[i]), most, &defaults);
		uint64_t asked = fields_number(fields, length, rows[i].field, usual);

		if (asked < rows[i].least || asked > most) {
			*ret_error = (struct limit_error){ .field = rows[i].field,
							   .least = rows[i].least,
							   .most = most };
			return -EINVAL;
		}
		memcpy((char *)limits + rows[i].offset, &asked, sizeof asked);
	}
	return 0;
}

int limits_within(const struct limits *usual, const struct limits *most, const void *fields,
		  size_t length, struct limits *ret_limits, struct limit_error *ret_error)
{
	struct limits limits = *usual;
	int error = lower(run_fields, RUN_FIELDS, &limits, most, fields, length, ret_error);

	if (!error)
		*ret_limits = limits;
	return error;
}

int limits_lower(const struct limits *base, const void *fields, size_t length,
		 struct limits *ret_limits, struct limit_error *ret_error)
{
	return limits_within(base, base, fields, length, ret_limits, ret_error);
}

int session_limits_lower(const struct session_limits *base, const void *fields, size_t length,
			 struct session_limits *ret_limits, struct limit_error *ret_error)
{
	struct session_limits limits = *base;
	int error = lower(session_fields, SESSION_FIELDS, &limits, base, fields, length, ret_error);

	if (!error)
		*ret_limits = limits;
	return error;
}

static int put(const struct limit_field *rows, size_t count, const void *limits,
	       struct buffer *list)
{
	int error = 0;

	for (size_t i = 0; !error && i < count; i++)
		error = fields_put_number(list, rows[i].field, read_row(limits, &rows[i]));
	return error;
}

int limits_put(const struct limits *limits, struct buffer *list)
{
	return put(run_fields, RUN_FIELDS, limits, list);
}

int session_limits_put(const struct session_limits *limits, struct buffer *list)
{
	return put(session_fields, SESSION_FIELDS, limits, list);
}
