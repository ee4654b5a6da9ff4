#define _GNU_SOURCE
#include "common/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"

enum { VARIABLE_BYTES = 96 };

static const struct setting *find_setting(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->count; i++)
		if (!strcmp(settings->table[i].name, name))
			return &settings->table[i];
	return NULL;
}

static int set_number(const struct setting *setting, const char *text, const char *place,
		      char error[SETTINGS_ERROR_BYTES])
{
	uint64_t most = setting->most ? setting->most : UINT64_MAX;
	char *end;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || number < setting->least ||
	    number > most) {
		if (setting->most)
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "%s: %s must be a whole number from %llu to %llu, not \"%.60s\"",
				 place, setting->name, (unsigned long long)setting->least,
				 (unsigned long long)most, text);
		else
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "%s: %s must be a whole number of at least %llu, not \"%.60s\"",
				 place, setting->name, (unsigned long long)setting->least, text);
		return -EINVAL;
	}
	*(uint64_t *)setting->value = number;
	return 0;
}

static int set_bool(const struct setting *setting, const char *text, const char *place,
		    char error[SETTINGS_ERROR_BYTES])
{
	static const char *const yes[] = { "1", "on", "yes", "true" };
	static const char *const no[] = { "0", "off", "no", "false" };

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*(bool *)setting->value = !strcasecmp(text, yes[i]);
			return 0;
		}
	}
	snprintf(error, SETTINGS_ERROR_BYTES, "%s: %s must be on or off, not \"%.60s\"", place,
		 setting->name, text);
	return -EINVAL;
}

static int set_text(const struct setting *setting, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*(char **)setting->value);
	*(char **)setting->value = copy;
	return 0;
}

static int set_value(const struct setting *setting, const char *text, const char *place,
		     char error[SETTINGS_ERROR_BYTES])
{
	switch (setting->kind) {
	case SETTING_NUMBER:
		return set_number(setting, text, place, error);
	case SETTING_BOOL:
		return set_bool(setting, text, place, error);
	case SETTING_TEXT:
		break;
	}
	return set_text(setting, text);
}

static int set_by_name(const struct settings *settings, const char *name, const char *value,
		       const char *place, char error[SETTINGS_ERROR_BYTES])
{
	const struct setting *setting = find_setting(settings, name);

	if (!setting) {
		snprintf(error, SETTINGS_ERROR_BYTES, "%s: unknown setting \"%.60s\"", place, name);
		return -EINVAL;
	}
	return set_value(setting, value, place, error);
}

int settings_defaults(const struct settings *settings, char error[SETTINGS_ERROR_BYTES])
{
	for (size_t i = 0; i < settings->count; i++) {
		int failed = set_value(&settings->table[i], settings->table[i].fallback,
				       "built-in default", error);
		if (failed)
			return failed;
	}
	return 0;
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static int read_line(const struct settings *settings, char *line, const char *place,
		     char error[SETTINGS_ERROR_BYTES])
{
	char *key = trim(line);
	char *value;

	if (!*key || *key == '#')
		return 0;
	value = strchr(key, '=');
	if (!value) {
		snprintf(error, SETTINGS_ERROR_BYTES, "%s: expected name = value, got \"%.60s\"",
			 place, key);
		return -EINVAL;
	}
	*value++ = '\0';
	return set_by_name(settings, trim(key), trim(value), place, error);
}

int settings_read_file(const struct settings *settings, const char *path,
		       char error[SETTINGS_ERROR_BYTES])
{
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	int failed = 0;
	FILE *file = fopen(path, "re");

	if (!file) {
		failed = -errno;
		snprintf(error, SETTINGS_ERROR_BYTES, "%.150s: %s", path, strerror(errno));
		return failed;
	}
	for (unsigned number = 1; !failed && getline(&line, &capacity, file) >= 0; number++) {
		char place[192];

		snprintf(place, sizeof place, "%.150s, line %u", path, number);
		failed = read_line(settings, line, place, error);
	}
	fclose(file);
	return failed;
}

/* The variable that sets it: EXECUTOR_WALL_MS for wall_ms. */
static void variable_name(const struct settings *settings, const struct setting *setting,
			  char out[VARIABLE_BYTES])
{
	snprintf(out, VARIABLE_BYTES, "%s%s", settings->environment_prefix, setting->name);
	for (char *c = out; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

/* A variable with our prefix that sets nothing is an error, as it would be in a file. */
static int check_variable(const struct settings *settings, const char *variable,
			  char error[SETTINGS_ERROR_BYTES])
{
	size_t prefix = strlen(settings->environment_prefix);
	size_t length = strcspn(variable, "=");
	char name[VARIABLE_BYTES];

	if (strncmp(variable, settings->environment_prefix, prefix) != 0)
		return 0;
	for (size_t i = 0; i < settings->count; i++) {
		variable_name(settings, &settings->table[i], name);
		if (strlen(name) == length && !memcmp(name, variable, length))
			return 0;
	}
	snprintf(error, SETTINGS_ERROR_BYTES,
		 "environment: unknown setting \"%.*s\" (--sample-config prints all)",
		 (int)(length < 80 ? length : 80), variable);
	return -EINVAL;
}

static int read_aliases(const struct settings *settings, char error[SETTINGS_ERROR_BYTES])
{
	for (size_t i = 0; i < settings->alias_count; i++) {
		const struct settings_alias *alias = &settings->aliases[i];
		const char *text = getenv(alias->variable);
		char scaled[32], *end;

		if (!text)
			continue;
		unsigned long long number = strtoull(text, &end, 10);
		if (!*text || *end || number > 1000000000) {
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "%s: expected a whole number, got \"%.60s\"", alias->variable,
				 text);
			return -EINVAL;
		}
		snprintf(scaled, sizeof scaled, "%llu", number * alias->factor);
		int failed = set_by_name(settings, alias->setting, scaled, alias->variable, error);
		if (failed)
			return failed;
	}
	return 0;
}

static int read_environment(const struct settings *settings, char error[SETTINGS_ERROR_BYTES])
{
	if (read_aliases(settings, error))
		return -EINVAL;
	for (char **variable = environ; variable && *variable; variable++)
		if (check_variable(settings, *variable, error))
			return -EINVAL;
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->table[i];
		char name[VARIABLE_BYTES];

		variable_name(settings, setting, name);
		const char *used = name;
		const char *text = getenv(name);
		if (!text && setting->environment) {
			used = setting->environment;
			text = getenv(used);
		}
		if (!text)
			continue;

		int failed = set_value(setting, text, used, error);
		if (failed)
			return failed;
	}
	return 0;
}

/* Is it --name or --name=VALUE? Underscores are typed as dashes. */
static bool is_option(const char *argument, const char *name, const char **ret_value)
{
	if (strncmp(argument, "--", 2) != 0)
		return false;
	for (argument += 2; *name; name++, argument++)
		if (*argument != (*name == '_' ? '-' : *name))
			return false;
	*ret_value = *argument == '=' ? argument + 1 : NULL;
	return !*argument || *argument == '=';
}

static const struct settings_option *find_own(const struct settings_option *own,
					      const char *argument, const char **ret_value)
{
	for (; own->name; own++)
		if (is_option(argument, own->name, ret_value))
			return own;
	return NULL;
}

static const struct setting *find_typed(const struct settings *settings, const char *argument,
					const char **ret_value)
{
	for (size_t i = 0; i < settings->count; i++)
		if (is_option(argument, settings->table[i].name, ret_value))
			return &settings->table[i];
	return NULL;
}

/* One walk over the options. The first finds the program's own; the second, after file and
 * environment have been read, sets the values. */
static int walk_options(const struct settings *settings, const struct settings_option *own,
			char **argv, bool set_values, const struct settings_option **ret_asked,
			char error[SETTINGS_ERROR_BYTES])
{
	for (char **argument = argv + 1; argv[0] && *argument; argument++) {
		const char *typed = *argument, *value = NULL;
		const struct settings_option *option = find_own(own, typed, &value);
		const struct setting *setting = find_typed(settings, typed, &value);
		bool takes_value = setting || (option && option->value);

		if (strncmp(typed, "--", 2) != 0) {
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "unexpected argument: \"%.100s\" (try --help)", typed);
			return -EINVAL;
		}
		if (takes_value && !value && argument[1])
			value = *++argument;
		if ((!option && !setting) || takes_value != !!value) {
			snprintf(
				error, SETTINGS_ERROR_BYTES,
				"unknown option, or one without its value: \"%.100s\" (try --help)",
				typed);
			return -EINVAL;
		}
		if (option && option->value)
			*option->value = value;
		if (option && option->action)
			*ret_asked = option;
		if (setting && set_values && set_value(setting, value, "command line", error))
			return -EINVAL;
	}
	return 0;
}

int settings_read(const struct settings *settings, const struct settings_option *own, char **argv,
		  const char **file, int *ret_action, char error[SETTINGS_ERROR_BYTES])
{
	const struct settings_option *asked = NULL;
	int failed = walk_options(settings, own, argv, false, &asked, error);

	*ret_action = asked ? asked->action : 0;
	if (failed || (asked && asked->prints))
		return failed;
	failed = settings_defaults(settings, error);
	if (!failed && *file)
		failed = settings_read_file(settings, *file, error);
	if (!failed)
		failed = read_environment(settings, error);
	return failed ? failed : walk_options(settings, own, argv, true, &asked, error);
}

void settings_print_help(const struct settings *settings, FILE *out)
{
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->table[i];
		char option[64];

		snprintf(option, sizeof option, "--%s", setting->name);
		for (char *c = option; *c; c++)
			if (*c == '_')
				*c = '-';
		fprintf(out, "  %-32s %s (default: %s)\n", option, setting->help,
			*setting->fallback ? setting->fallback : "empty");
	}
}

void settings_print_sample(const struct settings *settings, FILE *out)
{
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->table[i];
		char name[VARIABLE_BYTES];

		variable_name(settings, setting, name);
		fprintf(out, "# %s\n# environment: %s%s%s\n#%s = %s\n\n", setting->help, name,
			setting->environment ? " or " : "",
			setting->environment ? setting->environment : "", setting->name,
			setting->fallback);
	}
	for (size_t i = 0; i < settings->alias_count; i++)
		fprintf(out, "# environment: %s sets %s, times %llu\n",
			settings->aliases[i].variable, settings->aliases[i].setting,
			settings->aliases[i].factor);
}

void settings_free(const struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		if (settings->table[i].kind == SETTING_TEXT) {
			free(*(char **)settings->table[i].value);
			*(char **)settings->table[i].value = NULL;
		}
	}
}
