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
} limit_fields[] = {
	{ FIELD_WALL_MS, offsetof(struct limits, wall_ms) },
	{ FIELD_CPU_MS, offsetof(struct limits, cpu_ms) },
	{ FIELD_MEMORY_BYTES, offsetof(struct limits, memory_bytes) },
	{ FIELD_OUTPUT_BYTES, offsetof(struct limits, output_bytes) },
	{ FIELD_PROCESSES, offsetof(struct limits, processes) },
	{ FIELD_OPEN_FILES, offsetof(struct limits, open_files) },
	{ FIELD_FILE_BYTES, offsetof(struct limits, file_bytes) },
	{ FIELD_WORKSPACE_BYTES, offsetof(struct limits, workspace_bytes) },
	{ FIELD_WORKSPACE_INODES, offsetof(struct limits, workspace_inodes) },
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
		 struct limits *ret_limits, unsigned *ret_field, uint64_t *ret_most)
{
	struct limits limits = *base;

	for (size_t i = 0; i < sizeof limit_fields / sizeof *limit_fields; i++) {
		uint64_t *limit = limit_of(&limits, i);
		uint64_t asked = fields_number(fields, length, limit_fields[i].field, *limit);

		if (asked == 0 || asked > *limit) {
			*ret_field = limit_fields[i].field;
			*ret_most = *limit;
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
