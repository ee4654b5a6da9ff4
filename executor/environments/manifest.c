#define _GNU_SOURCE
#include "executor/environments/environments.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/settings.h"

enum { LIST_BYTES_MAX = 256 << 10 };

/* The table needs addresses; manifest_read() gives the result out. */
static struct manifest storage;

#define WORDS(member)                                                                              \
	{                                                                                          \
		.name = #member, .kind = SETTING_TEXT, .value = &storage.member, .fallback = ""    \
	}
#define LIMIT(member)                                                                              \
	{                                                                                          \
		.name = #member, .kind = SETTING_NUMBER, .value = &storage.limits.member,          \
		.fallback = "0"                                                                    \
	}

static const struct setting table[] = {
	WORDS(name),
	WORDS(description),
	WORDS(python),
	WORDS(preload),
	WORDS(programs),
	WORDS(variables),
	{ .name = "warm_up", .kind = SETTING_BOOL, .value = &storage.warm_up, .fallback = "off" },
	LIMIT(wall_ms),
	LIMIT(cpu_ms),
	LIMIT(memory_bytes),
	LIMIT(output_bytes),
	LIMIT(processes),
	LIMIT(open_files),
	LIMIT(file_bytes),
	LIMIT(workspace_bytes),
	LIMIT(workspace_inodes),
};

static const struct settings settings = { .table = table, .count = sizeof table / sizeof *table };

bool environment_name_valid(const char *name, size_t length)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char others[] = "0123456789-_";

	if (!length || length > ENVIRONMENT_NAME_MAX || !name[0] || !strchr(letters, name[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!name[i] || (!strchr(letters, name[i]) && !strchr(others, name[i])))
			return false;
	return true;
}

/* Of NAME=VALUE words none may change how programs are loaded: PATH and the like are ours. */
static bool variables_are_valid(const char *variables)
{
	AUTO_FREE char *copy = strdup(variables);
	char *rest = NULL;

	for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
	     word = strtok_r(NULL, " ", &rest)) {
		size_t name = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789_");

		if (!name || word[name] != '=' || !strncmp(word, "LD_", 3) ||
		    !strncmp(word, "PATH=", 5) || !strncmp(word, "PYTHON", 6))
			return false;
	}
	return copy;
}

static int check(const struct manifest *manifest, const char *build,
		 char error[MANIFEST_ERROR_BYTES])
{
	const char *wrong = NULL;

	if (!environment_name_valid(manifest->name, strlen(manifest->name)))
		wrong = "name";
	else if (strcmp(manifest->python, PYTHON_VERSION))
		wrong = "python";
	else if (!variables_are_valid(manifest->variables))
		wrong = "variables";
	if (!wrong)
		return 0;
	snprintf(error, MANIFEST_ERROR_BYTES, "%.200s/environment.conf: wrong %s%s", build, wrong,
		 *wrong == 'p' ? ": this service runs Python " PYTHON_VERSION "; rebuild it" : "");
	return -EINVAL;
}

/* A file of lines as one text. */
static int read_list(const char *build, const char *name, char **ret_text,
		     char error[MANIFEST_ERROR_BYTES])
{
	char path[PATH_MAX];
	struct stat info;

	snprintf(path, sizeof path, "%s/%s", build, name);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info)) {
		snprintf(error, MANIFEST_ERROR_BYTES, "%.300s: %s", path, strerror(errno));
		return -errno;
	}
	if (!S_ISREG(info.st_mode) || info.st_size > LIST_BYTES_MAX) {
		snprintf(error, MANIFEST_ERROR_BYTES, "%.300s: no file, or too large", path);
		return -EFBIG;
	}
	AUTO_FREE char *text = calloc(1, (size_t)info.st_size + 1);
	if (!text || read(fd, text, (size_t)info.st_size) != info.st_size) {
		snprintf(error, MANIFEST_ERROR_BYTES, "%.300s: cannot be read", path);
		return -EIO;
	}
	*ret_text = take_pointer(&text);
	return 0;
}

int manifest_read(const char *build, struct manifest *ret_manifest,
		  char error[MANIFEST_ERROR_BYTES])
{
	char path[PATH_MAX], why[SETTINGS_ERROR_BYTES] = "no memory";

	snprintf(path, sizeof path, "%s/environment.conf", build);
	int failed = settings_defaults(&settings, why);
	if (!failed)
		failed = settings_read_file(&settings, path, why);
	*ret_manifest = storage;
	memset(&storage, 0, sizeof storage);
	if (failed) {
		snprintf(error, MANIFEST_ERROR_BYTES, "%s", why);
		return failed;
	}
	failed = check(ret_manifest, build, error);
	if (!failed)
		failed = read_list(build, "packages", &ret_manifest->packages, error);
	return failed ? failed : read_list(build, "modules", &ret_manifest->modules, error);
}

bool manifest_has_module(const struct manifest *manifest, const char *name, size_t length)
{
	const char *line = manifest->modules ? manifest->modules : "";

	while (*line) {
		size_t here = strcspn(line, "\n");

		if (here == length && !memcmp(line, name, length))
			return length;
		line += here + (line[here] == '\n');
	}
	return false;
}

struct limits manifest_limits(const struct manifest *manifest, const struct limits *limits)
{
	const struct limits *own = &manifest->limits;
	struct limits both = *limits;
	const struct {
		uint64_t *limit, own;
	} rows[] = {
		{ &both.wall_ms, own->wall_ms },
		{ &both.cpu_ms, own->cpu_ms },
		{ &both.memory_bytes, own->memory_bytes },
		{ &both.output_bytes, own->output_bytes },
		{ &both.processes, own->processes },
		{ &both.open_files, own->open_files },
		{ &both.file_bytes, own->file_bytes },
		{ &both.workspace_bytes, own->workspace_bytes },
		{ &both.workspace_inodes, own->workspace_inodes },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].own)
			*rows[i].limit = rows[i].own;
	return both;
}

void manifest_free(struct manifest *manifest)
{
	free(manifest->name);
	free(manifest->description);
	free(manifest->python);
	free(manifest->preload);
	free(manifest->programs);
	free(manifest->variables);
	free(manifest->packages);
	free(manifest->modules);
	memset(manifest, 0, sizeof *manifest);
}
