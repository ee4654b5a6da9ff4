#define _GNU_SOURCE
#include "executor/options.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/spawn.h"
#include "common/settings.h"
#include "executor/run/profile.h"

/* The table needs addresses; options_parse() gives the result out. */
static struct options storage;

#define NUMBER(member, least_, most_, fallback_, help_)                                            \
	{                                                                                          \
		.name = #member, .kind = SETTING_NUMBER, .value = &storage.member,                 \
		.fallback = fallback_, .least = least_, .most = most_, .help = help_               \
	}
#define WORDS(member, fallback_, help_)                                                            \
	{                                                                                          \
		.name = #member, .kind = SETTING_TEXT, .value = &storage.member,                   \
		.fallback = fallback_, .help = help_                                               \
	}
#define LIMIT(PROFILE, profile_, path_, name_, least_, most_, fallback_, help_)                    \
	{                                                                                          \
		.name = profile_ "_" name_, .kind = SETTING_NUMBER,                                \
		.value = &profiles[PROFILE].path_, .fallback = fallback_, .least = least_,         \
		.most = most_, .help = "profile " profile_ ": " help_                              \
	}

/* One row a limit; what differs between the profiles are the arguments. */
#define PROFILE_ROWS(PROFILE, name_, wall_ms_, memory_bytes_, sessions_, idle_ms_, lifetime_ms_)   \
	{ .name = name_ "_environment",                                                            \
	  .kind = SETTING_TEXT,                                                                    \
	  .value = &profiles[PROFILE].environment,                                                 \
	  .fallback = "base",                                                                      \
	  .help = "profile " name_ ": the environment of who names none" },                        \
		LIMIT(PROFILE, name_, limits.wall_ms, "wall_ms", 1, 3600000, wall_ms_,             \
		      "wall time of a run, ms"),                                                   \
		LIMIT(PROFILE, name_, limits.cpu_ms, "cpu_ms", 1, 3600000, wall_ms_,               \
		      "CPU time of a run, all processes together, ms"),                            \
		LIMIT(PROFILE, name_, limits.memory_bytes, "memory_bytes", 16 << 20, 1ull << 40,   \
		      memory_bytes_, "memory, files in the workspace included, bytes"),            \
		LIMIT(PROFILE, name_, limits.output_bytes, "output_bytes", 1, 32 << 20, "1048576", \
		      "stdout and stderr together, bytes"),                                        \
		LIMIT(PROFILE, name_, limits.processes, "processes", 1, 4096, "64",                \
		      "processes and threads"),                                                    \
		LIMIT(PROFILE, name_, limits.open_files, "open_files", 16, 65536, "256",           \
		      "open files of a process"),                                                  \
		LIMIT(PROFILE, name_, limits.file_bytes, "file_bytes", 1, 1ull << 40, "67108864",  \
		      "size of a single file, bytes"),                                             \
		LIMIT(PROFILE, name_, limits.workspace_bytes, "workspace_bytes", 64 << 10,         \
		      1ull << 40, "67108864", "all files of a sandbox, bytes"),                    \
		LIMIT(PROFILE, name_, limits.workspace_inodes, "workspace_inodes", 16, 1 << 20,    \
		      "8192", "files and folders of a sandbox"),                                   \
		LIMIT(PROFILE, name_, sessions, "sessions", 0, 100000, sessions_,                  \
		      "sessions at the same time"),                                                \
		LIMIT(PROFILE, name_, session.idle_ms, "idle_ms", 1, 0, idle_ms_,                  \
		      "a session ends after so long without a request, ms"),                       \
		LIMIT(PROFILE, name_, session.lifetime_ms, "lifetime_ms", 1, 0, lifetime_ms_,      \
		      "a session ends at this age, ms"),                                           \
		LIMIT(PROFILE, name_, session.undo_depth, "undo_depth", 0, 15, "3",                \
		      "cells that can be undone")

static const struct setting table[] = {
	WORDS(socket, "/run/vivarium/executor.sock", "the socket to listen on"),
	WORDS(peer_user, "root", "who may connect besides root: a user name or a uid"),
	WORDS(zygote_path, "", "the zygote program; empty: beside the executor, then as installed"),
	NUMBER(zygotes, 1, 64, "8", "warm interpreters to fork from, used in turn"),
	NUMBER(zygote_forks, 1, 0, "20000", "a zygote is replaced after so many forks"),
	NUMBER(zygote_age_ms, 1000, 0, "14400000", "a zygote is replaced at this age, ms"),
	/* What most small programs import. Each shared library and each page costs every
	 * fork: decimal, asyncio or hashlib are left to who needs them. */
	WORDS(preloads,
	      "abc array base64 bisect collections collections.abc contextlib copy csv dataclasses "
	      "datetime enum functools heapq io itertools json linecache math operator os random "
	      "re "
	      "string struct textwrap threading time traceback types typing",
	      "modules that every sandbox finds imported"),
	WORDS(programs,
	      "bash coreutils dash debianutils diffutils file findutils gawk grep gzip less mawk "
	      "sed "
	      "sqlite3 tar unzip",
	      "Debian packages whose files every sandbox sees, beside Python's; empty: none, and "
	      "root_paths must hold all"),
	WORDS(root_paths, "", "further folders of the host that every sandbox may read"),
	WORDS(environments, "/var/lib/vivarium/environments",
	      "the folder in which scripts/vivarium-env builds package environments"),
	WORDS(environments_at_start, "",
	      "environments that are started at once and kept, or all; the others at their first "
	      "use"),
	NUMBER(environment_zygotes, 1, 64, "2", "warm interpreters of each environment but base"),
	NUMBER(environment_pool, 1, 256, "4",
	       "sandboxes that each environment but base keeps ready"),
	NUMBER(environment_idle_ms, 0, 0, "1800000",
	       "an environment that nobody uses for so long is ended; 0: never, ms"),
	NUMBER(pool, 1, 256, "8", "sandboxes that are kept ready"),
	NUMBER(one_shot_reuse, 1, SANDBOX_USERS_MAX, "12",
	       "one-shots that a sandbox serves one after the other, each under a uid of its own; "
	       "1: a new sandbox for each"),
	NUMBER(running, 0, 1024, "0",
	       "runs at the same time; 0: as many as all sandboxes' memory has room for where each "
	       "uses half of its limit, 16 to 512"),
	NUMBER(running_per_client, 0, 1024, "0",
	       "of these, one client address's; 0: three quarters"),
	NUMBER(queue, 0, 65536, "256", "runs that may wait"),
	NUMBER(queue_per_client, 0, 65536, "0",
	       "of these, one client address's; 0: three quarters"),
	NUMBER(queue_ms, 1, 600000, "15000", "how long a run may wait, ms"),
	NUMBER(sessions, 0, 100000, "500", "sessions at the same time"),
	NUMBER(sessions_per_client, 0, 100000, "400", "of these, one client address's"),
	NUMBER(session_queue, 1, 10000, "32", "calls that may wait for one session"),
	NUMBER(history_cells, 0, 10000, "100", "cells that a session's history keeps"),
	NUMBER(history_bytes, 65536, 1ull << 40, "4194304",
	       "what a session's history keeps in all: code, outcomes, output, bytes"),
	NUMBER(histories_bytes, 65536, 1ull << 40, "134217728",
	       "what the histories of all sessions keep together, bytes"),
	NUMBER(cell_output_bytes, 65536, 1 << 30, "1048576",
	       "what is kept of a cell's output, its last, bytes"),
	NUMBER(max_wall_ms, 1, 86400000, "600000",
	       "wall and CPU time that a streamed or detached run may ask for, ms"),
	NUMBER(stream_output_bytes, 1, 1ull << 40, "1073741824",
	       "stdout and stderr that a streamed run may write, bytes"),
	NUMBER(leave_ms, 0, 600000, "5000",
	       "how long a streamed cell goes on without its client, ms"),
	NUMBER(input_ms, 1, 86400000, "600000",
	       "how long a cell may wait for input in all, ms; it is not wall time"),
	NUMBER(displays, 0, 100000, "100", "display outputs of a run"),
	NUMBER(display_bytes, 0, 1 << 30, "8388608", "display outputs of a run together, bytes"),
	NUMBER(evaluation_cases, 1, 100000, "1000", "cases of one evaluation"),
	NUMBER(evaluation_workers, 1, 64, "4", "of these at the same time, each in a sandbox"),
	NUMBER(evaluation_ms, 1, 600000, "80000",
	       "how long one evaluation may take; what has not run then fails, ms"),
	NUMBER(interrupt_grace_ms, 1, 60000, "200",
	       "how long a cell has to end after it was interrupted, ms"),
	NUMBER(checkpoint_bytes, 0, 0, "536870912",
	       "sessions that use more memory than this are not checkpointed, bytes"),
	NUMBER(cpu_percent, 1, 100000, "100", "CPU of one sandbox; 100 is one whole CPU"),
	NUMBER(idle_cpu_permille, 1, 1000, "50",
	       "CPU of what programs have left running between a session's cells, in thousandths "
	       "of "
	       "one CPU"),
	NUMBER(idle_cpu_all_permille, 1, 100000, "500", "of these together, of all sessions"),
	NUMBER(uid_base, 65536, 4294000000, "1879048192",
	       "host uids and gids from here on belong to sandboxes"),
	NUMBER(sandboxes, 1, 16384, "2048", "sandboxes in all; each takes 16 uids"),
	NUMBER(sandboxes_memory_bytes, 0, 1ull << 50, "0",
	       "memory of all sandboxes together, bytes; 0: three quarters of the machine's"),
	NUMBER(sandboxes_files_bytes, 0, 1ull << 50, "0",
	       "files that clients have put into sandboxes, all together, bytes; 0: an eighth of "
	       "the machine's memory"),
	NUMBER(sandboxes_processes, 0, 1 << 22, "0",
	       "processes and threads of all sandboxes together; 0: half of kernel.pid_max"),
	NUMBER(sandboxes_disk_bytes_per_s, 4096, 1ull << 50, "134217728",
	       "what all sandboxes together may read from each disk in a second, bytes"),
	NUMBER(sandboxes_disk_reads_per_s, 1, 1 << 30, "4000",
	       "in so many reads; both need the io controller of cgroup v2, or blkio of v1"),
	WORDS(cgroup_parent, "", "make our cgroup below this one; empty: find out"),
	WORDS(cgroup_name, "", "our cgroup's name; empty: vivarium- and a hash of the socket"),
	{ .name = "allow_no_cgroups",
	  .kind = SETTING_BOOL,
	  .value = &storage.allow_no_cgroups,
	  .fallback = "off",
	  .help = "serve without limits on memory, processes and CPU where there are no cgroups" },
	NUMBER(shutdown_ms, 0, 600000, "35000", "how long SIGTERM lets runs go on, ms"),
	WORDS(log_level, "info", "error, warn, info or debug"),
	PROFILE_ROWS(PROFILE_NATIVE, "native", "30000", "134217728", "500", "3600000", "86400000"),
	PROFILE_ROWS(PROFILE_PLAYGROUND, "playground", "10000", "134217728", "0", "3600000",
		     "86400000"),
	PROFILE_ROWS(PROFILE_REPL, "repl", "10000", "134217728", "500", "86400000", "604800000"),
	PROFILE_ROWS(PROFILE_WORKSPACE, "workspace", "30000", "134217728", "500", "3600000",
		     "86400000"),
	PROFILE_ROWS(PROFILE_STRICT, "strict", "2000", "104857600", "40", "60000", "86400000"),
};

/* The strict session server's own variables, in its own units. */
static const struct settings_alias aliases[] = {
	{ "TIMEOUT_SECONDS", "strict_wall_ms", 1000 },
	{ "TIMEOUT_SECONDS", "strict_cpu_ms", 1000 },
	{ "MEMORY_LIMIT_MB", "strict_memory_bytes", 1 << 20 },
	{ "MAX_SESSIONS", "strict_sessions", 1 },
	{ "IDLE_TIMEOUT_SECONDS", "strict_idle_ms", 1000 },
};

static const struct settings settings = {
	.table = table,
	.count = sizeof table / sizeof *table,
	.environment_prefix = "EXECUTOR_",
	.aliases = aliases,
	.alias_count = sizeof aliases / sizeof *aliases,
};

enum { PRINT_HELP = OPTIONS_EXIT + 1, PRINT_SAMPLE, PRINT_VERSION };

static void print_help(void)
{
	printf("usage: executor [--config FILE] [--NAME VALUE ...]\n"
	       "       executor --try-environment FOLDER <CODE\n"
	       "       executor --doctor | --check-config | --sample-config | --version | "
	       "--help\n\n"
	       "Runs untrusted Python in sandboxes, for fcgi-app, over a UNIX socket.\n\n"
	       "  --config FILE                    read settings (name = value) from FILE\n"
	       "  --doctor                         try every wall of a sandbox, print the table\n"
	       "  --try-environment FOLDER         run code in the environment that is built "
	       "there\n"
	       "  --check-config                   read the settings, say whether they are right\n"
	       "  --sample-config                  print a file with all settings\n\n"
	       "Settings; in the environment each is EXECUTOR_NAME:\n");
	settings_print_help(&settings, stdout);
}

/* What needs no settings. True when it was asked for. */
static bool print_asked(int action)
{
	switch (action) {
	case PRINT_HELP:
		print_help();
		return true;
	case PRINT_SAMPLE:
		settings_print_sample(&settings, stdout);
		return true;
	case PRINT_VERSION:
		printf("executor (Vivarium) %s\n", PACKAGE_VERSION);
		return true;
	default:
		return false;
	}
}

int options_parse(char **argv, struct options *options)
{
	const char *file = NULL, *try_environment = NULL;
	const struct settings_option own[] = {
		{ .name = "config", .value = &file },
		{ .name = "doctor", .action = OPTIONS_DOCTOR },
		{ .name = "try-environment", .action = OPTIONS_TRY, .value = &try_environment },
		{ .name = "check-config", .action = OPTIONS_CHECK },
		{ .name = "sample-config", .action = PRINT_SAMPLE, .prints = true },
		{ .name = "version", .action = PRINT_VERSION, .prints = true },
		{ .name = "help", .action = PRINT_HELP, .prints = true },
		{ .name = NULL },
	};
	char error[SETTINGS_ERROR_BYTES];
	int action;

	if (settings_read(&settings, own, argv, &file, &action, error)) {
		fprintf(stderr, "executor: %s\n", error);
		return -2;
	}
	if (print_asked(action))
		return OPTIONS_EXIT;
	*options = storage;
	options->try_environment = try_environment;
	return action;
}

void options_free(struct options *options)
{
	settings_free(&settings);
	memset(options, 0, sizeof *options);
}

int options_find_uid(const char *user, uid_t *ret_uid)
{
	struct passwd *entry = getpwnam(user);
	char *end;

	if (entry) {
		*ret_uid = entry->pw_uid;
		return 0;
	}
	unsigned long uid = strtoul(user, &end, 10);
	if (!*user || *end || uid >= UINT32_MAX)
		return -ENOENT;
	*ret_uid = (uid_t)uid;
	return 0;
}
