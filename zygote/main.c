/* zygote - one warm CPython that never runs user code.
 *
 * Started by the executor inside the template root, without capabilities, as a
 * uid of its own. It imports what programs use, compiles the seccomp filters,
 * and then only forks: each request makes one init (pid 1 of a sandbox) as a
 * child of the executor. End of file on its socket ends it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/message.h"
#include "common/spawn.h"
#include "zygote/filter.h"
#include "zygote/init.h"
#include "zygote/python/python.h"
#include "zygote/forks.h"

#ifndef PYTHON_PROGRAM
#define PYTHON_PROGRAM "/usr/bin/python3"
#endif

enum { INIT_SOCKET, MAILBOX, SPAWN_FDS };

/* All namespaces but the cgroup one, which init takes once it has been
 * moved to its cgroup. The raw call, because libc has none with CLONE_PARENT:
 * init makes the interpreter with a real fork(), which mends what libc
 * cached. */
static pid_t clone_init(int *ret_pidfd)
{
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
				    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PARENT | CLONE_PIDFD |
				    SIGCHLD;

	return (pid_t)syscall(SYS_clone, flags, 0, ret_pidfd, 0, 0);
}

static void spawn(uint64_t cookie, const int fds[SPAWN_FDS])
{
	struct spawn_reply reply = { .cookie = cookie };
	int pidfd = -1;

	reply.pid = clone_init(&pidfd);
	if (reply.pid == 0) {
		close(ZYGOTE_SOCKET_FD);
		init_main(fds[INIT_SOCKET], fds[MAILBOX]);
	}
	if (reply.pid < 0)
		reply.pid = -errno;
	if (packet_send(ZYGOTE_SOCKET_FD, &reply, sizeof reply, &pidfd, reply.pid > 0))
		_exit(1);
	if (pidfd >= 0)
		close(pidfd);
}

static void serve(void)
{
	struct spawn_request request;
	int fds[PACKET_FDS_MAX];
	size_t count = 0;

	for (;;) {
		int got = packet_receive(ZYGOTE_SOCKET_FD, &request, sizeof request, fds, &count);

		if (got <= 0)
			return;
		if (count == SPAWN_FDS)
			spawn(request.cookie, fds);
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
}

/* NAME=VALUE, and words that say yes. */
static bool read_arguments(char **argv, struct python_options *ret_options)
{
	const struct {
		const char *name;
		const char **value;
	} texts[] = {
		{ "python=", &ret_options->program },
		{ "preloads=", &ret_options->preloads },
		{ "warm_up=", &ret_options->warm_up },
	};

	for (char **argument = argv + 1; *argument; argument++) {
		bool known = false;

		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			size_t length = strlen(texts[i].name);

			if (strncmp(*argument, texts[i].name, length))
				continue;
			*texts[i].value = *argument + length;
			known = true;
		}
		if (!strcmp(*argument, "strict"))
			known = ret_options->strict = true;
		if (!strcmp(*argument, "verbose"))
			known = ret_options->verbose = true;
		if (!known)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct python_options options = { .program = PYTHON_PROGRAM, .preloads = "" };
	struct spawn_reply warm = { 0 };
	int error;

	(void)argc;
	if (!read_arguments(argv, &options)) {
		fprintf(stderr, "zygote: started by the executor, as: zygote [python=FILE] "
				"[preloads=NAMES] [warm_up=FILE] [strict] [verbose]\n");
		return 2;
	}
	(void)prctl(PR_SET_NAME, "zygote", 0, 0, 0);
	close_range(ZYGOTE_FDS, ~0u, 0);
	error = filter_build_all();
	if (error) {
		fprintf(stderr, "zygote: cannot compile the seccomp filters: %s\n",
			strerror(-error));
		return 1;
	}
	if (python_start(&options))
		return 1;
	sibling_prepare();
	if (packet_send(ZYGOTE_SOCKET_FD, &warm, sizeof warm, NULL, 0))
		return 1;
	serve();
	_exit(0);
}
