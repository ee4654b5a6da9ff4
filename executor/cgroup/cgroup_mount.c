#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "executor/cgroup/cgroup_version.h"
#include "common/owned.h"

static bool has_option(char *options, const char *wanted)
{
	char *rest = NULL;

	for (char *option = strtok_r(options, ",", &rest); option;
	     option = strtok_r(NULL, ",", &rest))
		if (!strcmp(option, wanted))
			return true;
	return false;
}

/* "36 35 98:0 /root /place rw,... - type source super,options" */
static bool parse_line(char *line, const char *type, const char *option, char *ret_path,
		       size_t size)
{
	char place[512], found[32], super[512];
	char *dash = strstr(line, " - ");

	if (!dash || sscanf(line, "%*d %*d %*s %*s %511s", place) != 1 ||
	    sscanf(dash, " - %31s %*s %511s", found, super) != 2)
		return false;
	if (strcmp(found, type) || (option && !has_option(super, option)))
		return false;
	snprintf(ret_path, size, "%s", place);
	return true;
}

/* Container engines mount cgroups read-only; whoever may mount may change that
 * for its own mount namespace. A plain remount would ask for the whole
 * superblock and be refused. */
static int make_writable(const char *path)
{
	struct statvfs info;

	if (statvfs(path, &info))
		return -errno;
	if (!(info.f_flag & ST_RDONLY))
		return 0;
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     NULL)
		       ? -errno
		       : 0;
}

int cgroup_find_mount(const char *type, const char *option, char *ret_path, size_t size)
{
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	bool found = false;
	FILE *mounts = fopen("/proc/self/mountinfo", "re");

	if (!mounts)
		return -errno;
	while (!found && getline(&line, &capacity, mounts) >= 0)
		found = parse_line(line, type, option, ret_path, size);
	fclose(mounts);
	return found ? make_writable(ret_path) : -ENOENT;
}
