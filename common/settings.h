/* settings.h - one table of settings, four sources.
 *
 * A daemon describes each setting once; it can then be given, later ones
 * winning, by its default, in the key=value file (--config FILE), in the
 * environment (NAME in capitals, or an alias) and as an option (--name VALUE,
 * underscores as dashes). Anything unknown or out of range is an error whose
 * text names the place, what is wrong and what was expected; in the environment
 * what begins with the program's prefix counts as meant for it. */
#ifndef VIVARIUM_SETTINGS_H
#define VIVARIUM_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting_kind { SETTING_NUMBER, SETTING_TEXT, SETTING_BOOL };

struct setting {
	const char *name;        /* lower case, with its unit: "wall_ms" */
	enum setting_kind kind;
	void *value;             /* uint64_t *, char ** or bool *; a text is owned by the table */
	const char *fallback;    /* the default, as it would be typed */
	uint64_t least, most;    /* numbers only; most 0: no bound */
	const char *environment; /* a further variable that sets it, or NULL */
	const char *help;        /* one line: what it is, in which unit */
};

/* A variable of another product's that sets one of ours, in its own unit. */
struct settings_alias {
	const char *variable, *setting;
	unsigned long long factor;
};

struct settings {
	const struct setting *table;
	size_t count;
	const char *environment_prefix; /* "EXECUTOR_": EXECUTOR_WALL_MS sets wall_ms */
	const struct settings_alias *aliases; /* EXECUTOR_WALL_MS wins over them */
	size_t alias_count;
};

/* An option that is no setting: --name, or --name VALUE. */
struct settings_option {
	const char *name;   /* NULL ends a table of them */
	int action;         /* what it asks for, above 0; 0: nothing by itself */
	bool prints;        /* what it asks for needs no setting: none is read */
	const char **value; /* gets the VALUE; NULL: it has none */
};

enum { SETTINGS_ERROR_BYTES = 384 };

/* All sources. `own` are the program's own options; *file is what one of them has set by
 * then: the file's path, or NULL. 0 with *ret_action set (0: no option asked for anything;
 * else the last one's), or -EINVAL / -errno with the reason in error[]. */
int settings_read(const struct settings *settings, const struct settings_option *own, char **argv,
		  const char **file, int *ret_action, char error[SETTINGS_ERROR_BYTES]);

/* For a table that is read from a file alone: the first two of the sources. */
int settings_defaults(const struct settings *settings, char error[SETTINGS_ERROR_BYTES]);
int settings_read_file(const struct settings *settings, const char *path,
		       char error[SETTINGS_ERROR_BYTES]);

/* Print the table as help text, or as a sample file with defaults in comments. */
void settings_print_help(const struct settings *settings, FILE *out);
void settings_print_sample(const struct settings *settings, FILE *out);

/* Free the texts. */
void settings_free(const struct settings *settings);

#endif
