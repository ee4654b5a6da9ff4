#include "profile.h"

#include <errno.h>
#include <string.h>

struct profile profiles[PROFILE_COUNT] = {
	[PROFILE_NATIVE] = { .name = "native" },
	[PROFILE_PLAYGROUND] = { .name = "playground" },
	[PROFILE_REPL] = { .name = "repl" },
	[PROFILE_WORKSPACE] = { .name = "workspace" },
	[PROFILE_STRICT] = { .name = "strict", .readonly = true },
};

static const struct {
	unsigned field;
	size_t offset;
	uint64_t least; /* below it nothing runs, or the kernel refuses it */
} limit_fields[] = {
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

static uint64_t *limit_of(struct limits *limits, size_t index)
{
	return (uint64_t *)(void *)((char *)limits + limit_fields[index].offset);
}

const struct profile *profile_find(const char *name, size_t length)
{
	for (size_t i = 0; i < PROFILE_COUNT; i++)
		if (strlen(profiles[i].name) == length && !memcmp(profiles[i].name, name, length))
			return &profiles[i];
	return NULL;
}

int limits_lower(const struct limits *base, const void *fields, size_t length,
		 struct limits *ret_limits, struct limit_error *ret_error)
{
	struct limits limits = *base;

	for (size_t i = 0; i < sizeof limit_fields / sizeof *limit_fields; i++) {
		uint64_t *limit = limit_of(&limits, i);
		uint64_t asked = fields_number(fields, length, limit_fields[i].field, *limit);

		if (asked < limit_fields[i].least || asked > *limit) {
			*ret_error = (struct limit_error){ .field = limit_fields[i].field,
							   .least = limit_fields[i].least,
							   .most = *limit };
			return -EINVAL;
		}
		*limit = asked;
	}
	*ret_limits = limits;
	return 0;
}

int limits_put(const struct limits *limits, struct buffer *list)
{
	struct limits copy = *limits;
	int error = 0;

	for (size_t i = 0; !error && i < sizeof limit_fields / sizeof *limit_fields; i++)
		error = fields_put_number(list, limit_fields[i].field, *limit_of(&copy, i));
	return error;
}
