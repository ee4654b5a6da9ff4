/* environment_calls.c - environments in what callers ask for, and in what they are told. */
#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "executor/environments/environments.h"
#include "executor/run/ending.h"
#include "executor/server/server.h"

/* -- told ------------------------------------------------------------------------------- */

void environments_names(const struct environments *environments, const char *module,
			size_t module_length, char *ret_text, size_t size)
{
	const struct environment *environment;
	size_t used = 0;

	*ret_text = '\0';
	for (size_t i = 0; used < size && (environment = environments_at(environments, i)); i++) {
		const struct manifest *manifest = environment_manifest(environment);

		if (!module || manifest_has_module(manifest, module, module_length))
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 used ? ", " : "", manifest->name);
	}
}

size_t environments_ready(const struct environments *environments)
{
	const struct environment *environment;
	size_t ready = 0;

	for (size_t i = 0; (environment = environments_at(environments, i)); i++)
		if (environment_is_started(environment))
			ready += pool_ready(environment_pool(environment));
	return ready;
}

size_t environments_warm_zygotes(const struct environments *environments)
{
	const struct environment *environment;
	size_t warm = 0;

	for (size_t i = 0; (environment = environments_at(environments, i)); i++)
		warm += environment_warm_zygotes(environment);
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
	const struct environment *environment;
	int error = 0;

	for (size_t i = 0; !error && (environment = environments_at(environments, i)); i++)
		error = put_one(environment, list);
	return error;
}

/* -- asked for --------------------------------------------------------------------------- */

enum { MODULE_NAME_MAX = 100 };

static bool refuse_name(struct call *call, const struct environments *environments,
			const struct profile *profile, const struct field_view *asked)
{
	char names[600];

	environments_names(environments, NULL, 0, names, sizeof names);
	if (asked->length)
		call_refuse(call, REFUSAL_INVALID, FIELD_ENVIRONMENT, "expected one of %s", names);
	else
		call_refuse(call, REFUSAL_INVALID, FIELD_ENVIRONMENT,
			    "there is no environment \"%s\", the default here; there are: %s",
			    profile->environment, names);
	return false;
}

bool req_environment(struct call *call, const struct environments *environments,
		     const struct profile *profile, struct environment **ret_environment)
{
	struct field_view asked = req_optional(call, FIELD_ENVIRONMENT);
	const char *name = asked.length ? (const char *)asked.value : profile->environment;
	size_t length = asked.length ? asked.length : strlen(name);

	*ret_environment = environments_find(environments, name, length);
	return *ret_environment || refuse_name(call, environments, profile, &asked);
}

bool req_held_environment(struct call *call, const struct environments *environments,
			  const struct profile *profile, struct environment **ret_environment)
{
	struct environment *environment = NULL;

	if (!req_environment(call, environments, profile, &environment))
		return false;
	int error = environment_hold(environment);
	if (error) {
		req_refuse_internal(call, "start the environment", error);
		return false;
	}
	*ret_environment = environment;
	return true;
}

/* "No module named 'numpy.linalg'" -> numpy. The program's words: only looked up. */
static bool missing_module(const struct outcome *outcome, struct field_view *ret_module)
{
	static const char type[] = "ModuleNotFoundError", before[] = "No module named '";
	const size_t start = sizeof before - 1;
	struct field_view said;

	if (outcome->reason != REASON_EXCEPTION ||
	    fields_find(outcome->report, outcome->report_length, FIELD_EXCEPTION_TYPE, &said) !=
		    1 ||
	    said.length != sizeof type - 1 || memcmp(said.value, type, said.length) ||
	    fields_find(outcome->report, outcome->report_length, FIELD_EXCEPTION_MESSAGE, &said) !=
		    1 ||
	    said.length <= start || memcmp(said.value, before, start))
		return false;
	const uint8_t *name = said.value + start;
	size_t left = said.length - start, length = 0;
	while (length < left && name[length] != '.' && name[length] != '\'')
		length++;
	*ret_module = (struct field_view){ .value = name, .length = length };
	return length && length < left && length <= MODULE_NAME_MAX;
}

void import_note(const struct environments *environments, struct outcome *outcome,
		 char text[IMPORT_NOTE_BYTES])
{
	struct field_view module;
	char names[300];

	if (outcome->note || !missing_module(outcome, &module))
		return;
	environments_names(environments, (const char *)module.value, module.length, names,
			   sizeof names);
	if (!*names)
		return;
	/* a name that one of our lists has: plain text */
	snprintf(text, IMPORT_NOTE_BYTES, "%.*s is installed in other environments: %s",
		 (int)module.length, (const char *)module.value, names);
	outcome->note = text;
}
