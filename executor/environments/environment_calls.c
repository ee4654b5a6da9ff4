#include "executor/environments/environment_calls.h"

#include <stdio.h>
#include <string.h>

#include "executor/server/request.h"

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
