#define _GNU_SOURCE
#include "zygote/fork_template.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "zygote/filter.h"
#include "common/owned.h"
#include "zygote/python/python.h"
#include "zygote/sibling.h"

static bool hidden;
static sigset_t signals; /* the program's mask, for its forks */

/* "7f12a000-7f12b000 rw-s 00000000 00:01 2056   /memfd:name (deleted)". What is
 * read only for everybody, below /usr, carries no notes. */
static bool is_shared(const char *line, const void *mailbox)
{
	char permissions[5] = "";
	unsigned long long start = 0;
	int path = 0;

	if (sscanf(line, "%llx-%*x %4s %*x %*s %*s %n", &start, permissions, &path) != 2)
		return true;
	return permissions[3] == 's' && start != (uintptr_t)mailbox &&
	       strncmp(line + path, "/usr/", 5) != 0;
}

static bool shares_memory(const void *mailbox)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	bool shares = !maps;

	while (!shares && getline(&line, &capacity, maps) >= 0)
		shares = is_shared(line, mailbox);
	if (maps)
		fclose(maps);
	return shares;
}

/* All but standard input, output and error, which each fork gets for itself. */
static bool shares_descriptors(void)
{
	DIR *entries = opendir("/proc/self/fd");
	struct dirent *entry;
	bool shares = !entries;

	while (!shares && (entry = readdir(entries))) {
		long number = strtol(entry->d_name, NULL, 10);

		shares = number > STDERR_FILENO && number != dirfd(entries);
	}
	if (entries)
		closedir(entries);
	return shares;
}

/* Signals stay pending for ever; forks have their own. The filter is for the
 * forks, which inherit it: false if it cannot be put on. */
static bool hide(void)
{
	sigset_t all;

	if (filter_add(FILTER_ORIGINAL))
		return false;
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &signals);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	hidden = true;
	return true;
}

static void be_fork(void)
{
	(void)setsid();
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)sigprocmask(SIG_SETMASK, &signals, NULL);
	hidden = false;
	python_after_fork_case();
}

enum original original_fork(const void *mailbox)
{
	if (!hidden && (shares_memory(mailbox) || shares_descriptors()))
		return ORIGINAL_SHARES;
	if (!hidden && !hide())
		return ORIGINAL_FAILED;
	if (!python_before_fork_case())
		return ORIGINAL_FAILED;
	pid_t pid = sibling_fork();
	if (pid != 0) {
		python_after_fork_parent();
		return pid > 0 ? ORIGINAL_FORKED : ORIGINAL_FAILED;
	}
	be_fork();
	return ORIGINAL_IS_FORK;
}
