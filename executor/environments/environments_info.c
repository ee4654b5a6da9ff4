/* What is told of the environments: their names, their packages, how many are warm. */
#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "executor/environments/environments_parts.h"

void environments_names(const struct environments *environments, const char *module,
			size_t module_length, char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = '\0';
	if (!module)
		used = (size_t)snprintf(ret_text, size, "base");
	for (size_t i = 0; i < environments->count && used < size; i++) {
		const struct manifest *manifest = environment_manifest(environments->list[i]);

		if (!module || manifest_has_module(manifest, module, module_length))
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 used ? ", " : "", manifest->name);
	}
}

size_t environments_ready(const struct environments *environments)
{
	size_t ready = pool_ready(environment_pool(environments->base));

	for (size_t i = 0; i < environments->count; i++)
		if (environment_is_started(environments->list[i]))
			ready += pool_ready(environment_pool(environments->list[i]));
	return ready;
}

size_t environments_warm_zygotes(const struct environments *environments)
{
	size_t warm = environment_warm_zygotes(environments->base);

	for (size_t i = 0; i < environments->count; i++)
		warm += environment_warm_zygotes(environments->list[i]);
	return warm;
}

static int put_lines(struct buffer *list, unsigned field, const char *lines)
{
	int error = 0;

	for (const char *line = lines; !error && *line; line += *line == '\n') {
		size_t length = strcspn(line, "\n");

		if (length)
			error = fields_put_bytes(list, field, line, length);
		line += length;
	}
	return error;
}

static int put_one(const struct environment *environment, struct buffer *list)
{
	const struct manifest *manifest = environment_manifest(environment);
	AUTO_BUFFER one = BUFFER_INIT(1 << 20);
	int error = fields_put_text(&one, FIELD_NAME, manifest->name);

	if (!error)
		error = fields_put_bytes(&one, FIELD_CONTENT, manifest->description,
					 strlen(manifest->description));
	if (!error)
		error = fields_put_number(&one, FIELD_RUNNING,
					  environment_warm_zygotes(environment) > 0);
	if (!error)
		error = put_lines(&one, FIELD_PACKAGE, manifest->packages);
	return error ? error : fields_put_bytes(list, FIELD_ENVIRONMENT_INFO, one.data, one.length);
}

int environments_put(const struct environments *environments, struct buffer *list)
{
	int error = put_one(environments->base, list);

	for (size_t i = 0; !error && i < environments->count; i++)
		error = put_one(environments->list[i], list);
	return error;
}
