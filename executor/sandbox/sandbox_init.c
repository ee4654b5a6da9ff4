#define _GNU_SOURCE
/* init, pid 1 of a sandbox: what it is asked, what it tells, its own life. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/message.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

int sandbox_ask_init(struct sandbox *sandbox, enum init_op op, pid_t pid, const int *fds,
		     size_t count)
{
	struct init_request request = {
		.op = op,
		.pid = pid,
		.uid = SANDBOX_USER_UID + sandbox->user,
		.limits = { .processes = sandbox_process_rlimit(sandbox) },
	};

	return packet_send(sandbox->init.fd, &request, sizeof request, fds, count);
}

/* Whose death is it? Orphans of the program are not told of. */
static void report_death(struct sandbox *sandbox, pid_t pid, int status)
{
	struct happening what = { .status = status };

	if (pid == sandbox->interpreter_inside) {
		what.event = ON_INTERPRETER_DIED;
		sandbox->interpreter_inside = 0;
		target_forget(&sandbox->interpreter);
	} else if (pid == sandbox->original_inside) {
		what.event = ON_ORIGINAL_DIED;
		sandbox->original_inside = 0;
		target_forget(&sandbox->original);
	} else if (pid == sandbox->command.inside) {
		what.event = ON_COMMAND_ENDED;
	} else {
		return;
	}
	sandbox_report(sandbox, &what);
}

static void report_event(struct sandbox *sandbox, struct init_event *event, int *fd)
{
	struct happening what = { .event = ON_BROKEN,
				  .fd = fd,
				  .pid = event->pid,
				  .step = "understand its init",
				  .error = -EPROTO };

	switch (event->kind) {
	case EVENT_DIED:
		report_death(sandbox, event->pid, event->status);
		return;
	case EVENT_LISTENER:
		if (*fd >= 0)
			what.event = ON_LISTENING;
		break;
	case EVENT_PROCFS:
		if (*fd >= 0)
			what.event = ON_OFFERED;
		break;
	case EVENT_STARTED:
		what.event = event->pid > 0 ? ON_COMMAND_STARTED : ON_COMMAND_REFUSED;
		break;
	case EVENT_FAILED:
		event->step[sizeof event->step - 1] = '\0';
		what.step = event->step;
		what.error = -event->error;
		break;
	default:
		break;
	}
	sandbox_report(sandbox, &what);
}

static void on_init(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, init);
	struct init_event event;
	int fds[PACKET_FDS_MAX] = { -1, -1, -1, -1 };
	size_t count = 0;
	int got = packet_receive(source->fd, &event, sizeof event, fds, &count);

	(void)events;
	if (got == -EAGAIN)
		return;
	if (got <= 0) { /* its death is told by the pidfd */
		loop_remove(sandbox->all->config.loop, source);
		return;
	}
	report_event(sandbox, &event, &fds[0]);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		owned_close(&fds[i]);
}

static void on_life(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, life);

	(void)events;
	loop_remove(sandbox->all->config.loop, source);
	/* it is reaped when no task beside the loop can still use its pid */
	sandbox->init_dead = true;
	sandbox_report(sandbox, &(struct happening){ .event = ON_INIT_DIED,
						     .step = "keep its init alive",
						     .error = -ECHILD });
}

int sandbox_watch_init(struct sandbox *sandbox, pid_t pid, int pidfd)
{
	struct loop *loop = sandbox->all->config.loop;

	sandbox->init_pid = pid;
	sandbox->life.fd = pidfd;
	int error = loop_add(loop, &sandbox->life, pidfd, EPOLLIN, on_life);
	return error ? error : loop_add(loop, &sandbox->init, sandbox->init.fd, EPOLLIN, on_init);
}

/* "NSpid:\t4711\t23": the last is the innermost. */
static pid_t inside_pid(pid_t pid)
{
	char path[64];
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	long inside = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *status = fopen(path, "re");
	if (!status)
		return 0;
	while (!inside && getline(&line, &capacity, status) >= 0) {
		char *last = strrchr(line, '\t');

		if (!strncmp(line, "NSpid:", 6) && last)
			inside = strtol(last, NULL, 10);
	}
	fclose(status);
	return (pid_t)inside;
}

int sandbox_watch_interpreter(struct sandbox *sandbox)
{
	pid_t inside = inside_pid(sandbox->interpreter.pid);

	if (!inside)
		return -ESRCH;
	sandbox->interpreter_inside = inside;
	return sandbox_ask_init(sandbox, INIT_WATCH, inside, NULL, 0);
}
