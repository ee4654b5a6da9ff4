#define _GNU_SOURCE
#include "executor/zygotes/zygote_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "common/spawn.h"

enum { PROGRAM_FD = 4 };

static int drop_everything(uid_t uid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	if (syscall(SYS_capset, &header, none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return setuid(0) == 0 ? -EUCLEAN : 0;
}

static int arrange_descriptors(int executable, int socket)
{
	int null = open("/dev/null", O_RDWR);
	/* out of the way of the numbers below */
	int high_executable = fcntl(executable, F_DUPFD, 16);
	int high_socket = fcntl(socket, F_DUPFD, 16);

	if (null < 0 || high_executable < 0 || high_socket < 0)
		return -errno;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(high_socket, ZYGOTE_SOCKET_FD) < 0 ||
	    dup3(high_executable, PROGRAM_FD, O_CLOEXEC) < 0)
		return -errno;
	return close_range(PROGRAM_FD + 1, ~0u, 0) ? -errno : 0;
}

/* Every program's score, handed down by fork: in a sandbox nobody can write to it. */
static void score_for_oom(void)
{
	char text[8];
	AUTO_FD fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof text, "%d", OOM_SCORE_PROGRAM);

	if (fd < 0 || write(fd, text, (size_t)length) != length)
		log_warn("zygote: its oom score cannot be set: %s", strerror(errno));
}

/* By cgroup v1: what it and its forks read from disks. */
static void bound_reads(int door)
{
	if (door >= 0 && write(door, "0", 1) != 1)
		log_warn("zygote: its reads cannot be bounded: %s", strerror(errno));
}

enum { ARGUMENTS_MAX = 8, VARIABLES_MAX = 40 };

static char *joined(const char *name, const char *value)
{
	char *text = NULL;

	return asprintf(&text, "%s%s", name, value) < 0 ? NULL : text;
}

static void fill_arguments(const struct zygote_program *program, char *arguments[ARGUMENTS_MAX])
{
	size_t count = 0;

	arguments[count++] = strdup("vivarium-zygote");
	arguments[count++] = joined("preloads=", program->preloads);
	if (program->python && *program->python)
		arguments[count++] = joined("python=", program->python);
	if (program->warm_up && *program->warm_up)
		arguments[count++] = joined("warm_up=", program->warm_up);
	if (program->strict)
		arguments[count++] = strdup("strict");
	if (program->verbose)
		arguments[count++] = strdup("verbose");
	arguments[count] = NULL;
}

/* The pool's own come first: who looks a name up finds the first. */
static void fill_environment(const struct zygote_program *program, char *environment[VARIABLES_MAX])
{
	static const char *const common[] = { "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
					      "HOME=/workspace", "TMPDIR=/tmp" };
	enum { COMMON = sizeof common / sizeof *common };
	char *copy = strdup(program->variables ? program->variables : ""), *rest = NULL;
	size_t count = 0;

	for (char *variable = copy ? strtok_r(copy, " ", &rest) : NULL;
	     variable && count < VARIABLES_MAX - COMMON - 1; variable = strtok_r(NULL, " ", &rest))
		environment[count++] = variable;
	for (size_t i = 0; i < COMMON; i++) {
		size_t name = strcspn(common[i], "=") + 1;
		size_t same = 0;

		while (same < count && strncmp(environment[same], common[i], name))
			same++;
		if (same == count)
			environment[count++] = strdup(common[i]);
	}
	environment[count] = NULL;
}

_Noreturn void zygote_process_become(const struct zygote_program *program, int socket)
{
	char step[ROOT_STEP_BYTES] = "";
	char *arguments[ARGUMENTS_MAX], *environment[VARIABLES_MAX];
	sigset_t none;

	score_for_oom();
	bound_reads(program->reads_door);
	int error = root_enter(&program->root, step);

	fill_arguments(program, arguments);
	fill_environment(program, environment);

	if (!error) {
		snprintf(step, sizeof step, "arrange descriptors");
		error = arrange_descriptors(program->executable, socket);
	}
	if (!error) {
		snprintf(step, sizeof step, "drop privileges");
		error = drop_everything(program->uid);
	}
	if (!error) {
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		/* what whoever started the daemon ignores, programs shall not */
		for (int number = 1; number < NSIG; number++)
			(void)signal(number, SIG_DFL);
		execveat(PROGRAM_FD, "", arguments, environment, AT_EMPTY_PATH);
		snprintf(step, sizeof step, "execute the zygote");
		error = -errno;
	}
	log_error("zygote: cannot %s: %s", step, strerror(-error));
	_exit(1);
}
