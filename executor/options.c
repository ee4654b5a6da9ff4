#define _GNU_SOURCE
#include "executor/options.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/owned.h"
#include "executor/run/profile.h"
#include "common/settings.h"

/* The table needs addresses; options_parse() gives the result out. */
static struct options storage;

#define NUMBER(member, least_, most_, fallback_, help_)                                            \
	{                                                                                          \
		.name = #member, .kind = SETTING_NUMBER, .value = &storage.member,                 \
		.fallback = fallback_, .least = least_, .most = most_, .help = help_               \
	}
#define TEXT(member, fallback_, help_)                                                             \
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
	TEXT(socket, "/run/vivarium/executor.sock", "the socket to listen on"),
	TEXT(peer_user, "root", "who may connect besides root: a user name or a uid"),
	TEXT(zygote_path, "", "the zygote program; empty: beside the executor, then as installed"),
	NUMBER(zygotes, 1, 64, "8", "warm interpreters to fork from, used in turn"),
	NUMBER(zygote_forks, 1, 0, "20000", "a zygote is replaced after so many forks"),
	NUMBER(zygote_age_ms, 1000, 0, "14400000", "a zygote is replaced at this age, ms"),
	/* What most small programs import. Each shared library and each page costs every
	 * fork: decimal, asyncio or hashlib are left to who needs them. */
	TEXT(preloads,
	     "abc array base64 bisect collections collections.abc contextlib copy csv dataclasses "
	     "datetime enum functools heapq io itertools json linecache math operator os random re "
	     "string struct textwrap threading time traceback types typing",
	     "modules that every sandbox finds imported"),
	TEXT(programs,
	     "bash coreutils dash debianutils diffutils file findutils gawk grep gzip less mawk "
	     "sed "
	     "sqlite3 tar unzip",
	     "Debian packages whose files every sandbox sees, beside Python's; empty: none, and "
	     "root_paths must hold all"),
	TEXT(root_paths, "", "further folders of the host that every sandbox may read"),
	TEXT(environments, "/var/lib/vivarium/environments",
	     "the folder in which scripts/vivarium-env builds package environments"),
	TEXT(environments_at_start, "",
	     "environments that are started at once and kept, or all; the others at their first "
	     "use"),
	NUMBER(environment_zygotes, 1, 64, "2", "warm interpreters of each environment but base"),
	NUMBER(environment_pool, 1, 256, "4",
	       "sandboxes that each environment but base keeps ready"),
	NUMBER(environment_idle_ms, 0, 0, "1800000",
	       "an environment that nobody uses for so long is ended; 0: never, ms"),
	NUMBER(pool, 1, 256, "8", "sandboxes that are kept ready"),
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
	NUMBER(sandboxes_processes, 0, 1 << 22, "0",
	       "processes and threads of all sandboxes together; 0: half of kernel.pid_max"),
	TEXT(cgroup_parent, "", "make our cgroup below this one; empty: find out"),
	TEXT(cgroup_name, "", "our cgroup's name; empty: vivarium- and a hash of the socket"),
	{ .name = "allow_no_cgroups",
	  .kind = SETTING_BOOL,
	  .value = &storage.allow_no_cgroups,
	  .fallback = "off",
	  .help = "serve without limits on memory, processes and CPU where there are no cgroups" },
	NUMBER(shutdown_ms, 0, 600000, "35000", "how long SIGTERM lets runs go on, ms"),
	TEXT(log_level, "info", "error, warn, info or debug"),
	PROFILE_ROWS(PROFILE_NATIVE, "native", "30000", "134217728", "500", "3600000", "86400000"),
	PROFILE_ROWS(PROFILE_PLAYGROUND, "playground", "10000", "134217728", "0", "3600000",
		     "86400000"),
	PROFILE_ROWS(PROFILE_REPL, "repl", "10000", "134217728", "500", "86400000", "604800000"),
	PROFILE_ROWS(PROFILE_WORKSPACE, "workspace", "30000", "134217728", "500", "3600000",
		     "86400000"),
	PROFILE_ROWS(PROFILE_STRICT, "strict", "2000", "104857600", "40", "60000", "86400000"),
};

static const struct settings settings = {
	.table = table,
	.count = sizeof table / sizeof *table,
	.environment_prefix = "EXECUTOR_",
};

/* The strict session server's own variables, in its own units. */
static const struct {
	const char *variable, *setting;
	unsigned long long factor;
} aliases[] = {
	{ "TIMEOUT_SECONDS", "strict_wall_ms", 1000 },
	{ "TIMEOUT_SECONDS", "strict_cpu_ms", 1000 },
	{ "MEMORY_LIMIT_MB", "strict_memory_bytes", 1 << 20 },
	{ "MAX_SESSIONS", "strict_sessions", 1 },
	{ "IDLE_TIMEOUT_SECONDS", "strict_idle_ms", 1000 },
};

static int read_aliases(char error[SETTINGS_ERROR_BYTES])
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		const char *text = getenv(aliases[i].variable);
		char scaled[32], *end;

		if (!text)
			continue;
		unsigned long long number = strtoull(text, &end, 10);
		if (!*text || *end || number > 1000000000) {
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "%s: expected a whole number, got \"%.60s\"", aliases[i].variable,
				 text);
			return -EINVAL;
		}
		snprintf(scaled, sizeof scaled, "%llu", number * aliases[i].factor);
		int failed = settings_set(&settings, aliases[i].setting, scaled,
					  aliases[i].variable, error);
		if (failed)
			return failed;
	}
	return 0;
}

/* The sample's comments about those that have no line of their own. */
static void print_aliases(void)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		printf("# environment: %s sets %s, times %llu\n", aliases[i].variable,
		       aliases[i].setting, aliases[i].factor);
}

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

enum {
	OPT_CONFIG = 1,
	OPT_DOCTOR,
	OPT_TRY,
	OPT_CHECK,
	OPT_SAMPLE,
	OPT_VERSION,
	OPT_HELP,
	OPT_FIRST
};

static struct option *long_options(char *names)
{
	static const struct option fixed[] = {
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "doctor", no_argument, NULL, OPT_DOCTOR },
		{ "try-environment", required_argument, NULL, OPT_TRY },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "sample-config", no_argument, NULL, OPT_SAMPLE },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP },
	};
	enum { FIXED = sizeof fixed / sizeof *fixed };
	struct option *all = calloc(FIXED + settings.count + 1, sizeof *all);

	if (!all)
		return NULL;
	memcpy(all, fixed, sizeof fixed);
	for (size_t i = 0; i < settings.count; i++) {
		char *name = names + i * 64;

		snprintf(name, 64, "%s", table[i].name);
		for (char *c = name; *c; c++)
			if (*c == '_')
				*c = '-';
		all[FIXED + i] =
			(struct option){ name, required_argument, NULL, OPT_FIRST + (int)i };
	}
	return all;
}

struct command_line {
	const char *config, *try_environment;
	int action;
	const char *values[sizeof table / sizeof *table];
};

static int read_command_line(int argc, char **argv, struct command_line *ret_line)
{
	static char names[sizeof table / sizeof *table][64];
	AUTO_FREE struct option *all = long_options(&names[0][0]);
	int option;

	if (!all)
		return -ENOMEM;
	while ((option = getopt_long(argc, argv, "", all, NULL)) != -1) {
		switch (option) {
		case OPT_CONFIG:
			ret_line->config = optarg;
			break;
		case OPT_DOCTOR:
			ret_line->action = OPTIONS_DOCTOR;
			break;
		case OPT_TRY:
			ret_line->try_environment = optarg;
			ret_line->action = OPTIONS_TRY;
			break;
		case OPT_CHECK:
			ret_line->action = OPTIONS_CHECK;
			break;
		case OPT_SAMPLE:
			settings_print_sample(&settings, stdout);
			print_aliases();
			ret_line->action = OPTIONS_EXIT;
			break;
		case OPT_VERSION:
			printf("executor (Vivarium) %s\n", PACKAGE_VERSION);
			ret_line->action = OPTIONS_EXIT;
			break;
		case OPT_HELP:
			print_help();
			ret_line->action = OPTIONS_EXIT;
			break;
		case '?': /* getopt has said what is wrong */
			return -EINVAL;
		default:
			ret_line->values[option - OPT_FIRST] = optarg;
			break;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "executor: unexpected argument \"%s\"; see --help\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int read_sources(const struct command_line *line, char error[SETTINGS_ERROR_BYTES])
{
	int failed = settings_defaults(&settings, error);

	if (!failed && line->config)
		failed = settings_read_file(&settings, line->config, error);
	if (!failed)
		failed = read_aliases(error);
	if (!failed)
		failed = settings_read_environment(&settings, error);
	for (size_t i = 0; !failed && i < settings.count; i++)
		if (line->values[i])
			failed = settings_set(&settings, table[i].name, line->values[i],
					      "command line", error);
	return failed;
}

int options_parse(int argc, char **argv, struct options *options)
{
	struct command_line line = { .action = OPTIONS_SERVE };
	char error[SETTINGS_ERROR_BYTES] = "out of memory";

	if (read_command_line(argc, argv, &line))
		return -2;
	if (line.action == OPTIONS_EXIT)
		return OPTIONS_EXIT;
	if (read_sources(&line, error)) {
		fprintf(stderr, "executor: %s\n", error);
		return -2;
	}
	*options = storage;
	options->try_environment = line.try_environment;
	return line.action;
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
