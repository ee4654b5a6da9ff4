#define _GNU_SOURCE
#include "executor/zygotes/debian_packages.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"

static const char lists[] = "/var/lib/dpkg/info";
static const char alternatives[] = "/var/lib/dpkg/alternatives";

bool packages_known(void)
{
	return access(lists, R_OK | X_OK) == 0;
}

/* "NAME.list", or "NAME:amd64.list" where more than one architecture can be installed. */
static FILE *open_list(const char *package)
{
	char path[PATH_MAX];
	glob_t found;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.list", lists, package);
	file = fopen(path, "re");
	if (file)
		return file;
	snprintf(path, sizeof path, "%s/%s:*.list", lists, package);
	if (glob(path, 0, NULL, &found))
		return NULL;
	file = fopen(found.gl_pathv[0], "re");
	globfree(&found);
	return file;
}

/* A name, and nothing that means something to glob() or leads to another folder. */
static bool is_package_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.")] &&
	       *name != '.';
}

int package_files(const char *package, int (*file)(void *context, const char *path), void *context)
{
	FILE *list = is_package_name(package) ? open_list(package) : NULL;
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	int error = 0;

	if (!list)
		return -ENOENT;
	while (!error && getline(&line, &capacity, list) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '/')
			error = file(context, line);
	}
	fclose(list);
	return error;
}

/* The first two lines say how it was chosen, and where its link is. */
static bool read_link_place(const char *name, char place[PATH_MAX])
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", alternatives, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	bool read = fgets(place, PATH_MAX, file) && fgets(place, PATH_MAX, file);
	fclose(file);
	if (read)
		place[strcspn(place, "\n")] = '\0';
	return read && *place == '/';
}

int package_alternatives(int (*alternative)(void *context, const char *link, const char *target),
			 void *context)
{
	DIR *entries = opendir(alternatives);
	struct dirent *entry;
	int error = 0;

	if (!entries)
		return 0;
	while (!error && (entry = readdir(entries))) {
		char place[PATH_MAX], target[PATH_MAX];

		if (*entry->d_name != '.' && read_link_place(entry->d_name, place) &&
		    realpath(place, target))
			error = alternative(context, place, target);
	}
	closedir(entries);
	return error;
}
