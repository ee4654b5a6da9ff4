#define _GNU_SOURCE
/* A shell command beside the idle interpreter. It ends with all that it started:
 * what was not there before it, and is neither init, interpreter nor
 * checkpoint, is killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/packet.h"
#include "executor/sandbox/sandbox_parts.h"

enum { SWEEP_US = 500 };

static int make_text(const void *text, size_t length)
{
	AUTO_FD fd = memfd_create("command", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (pwrite(fd, text, length, 0) != (ssize_t)length)
		return -EIO;
	return take_fd(&fd);
}

static void forget_command(struct sandbox *sandbox)
{
	for (int i = 0; i < STREAMS; i++)
		sandbox_close_stream(&sandbox->command.streams[i]);
	sandbox_close_feeder(sandbox);
	free(sandbox->command.before);
	sandbox->command.before = NULL;
	sandbox->command.before_count = 0;
	sandbox->command.inside = 0;
}

static int compare_pids(const void *one, const void *other)
{
	pid_t a = *(const pid_t *)one, b = *(const pid_t *)other;

	return (a > b) - (a < b);
}

/* Who is there already. One that was left out would be killed with the command:
 * rather no command. */
static int note_others(struct sandbox *sandbox)
{
	static pid_t members[MEMBERS_MAX];
	struct command *command = &sandbox->command;
	long count = cgroup_list(sandbox->cgroup, members, MEMBERS_MAX);

	if (count < 0)
		return (int)count;
	if (count == MEMBERS_MAX)
		return -E2BIG;
	size_t size = (size_t)count * sizeof *members;
	command->before = malloc(size + 1);
	if (!command->before)
		return -ENOMEM;
	memcpy(command->before, members, size);
	command->before_count = (size_t)count;
	qsort(command->before, command->before_count, sizeof *members, compare_pids);
	return 0;
}

static int ask(struct sandbox *sandbox, const struct sandbox_job *job)
{
	AUTO_FD text = make_text(job->payload, job->payload_length);
	AUTO_FD input = -1;
	AUTO_FD output = -1;
	AUTO_FD errors = -1;
	int error = text < 0 ? text : 0;

	if (!error)
		error = sandbox_open_stream(sandbox, &sandbox->command.streams[SANDBOX_STDOUT],
					    SANDBOX_STDOUT, &output);
	if (!error)
		error = sandbox_open_stream(sandbox, &sandbox->command.streams[SANDBOX_STDERR],
					    SANDBOX_STDERR, &errors);
	if (!error)
		error = sandbox_open_input(sandbox, job->stdin_bytes, job->stdin_length, &input);
	if (error)
		return error;
	const int fds[] = { input, output, errors, text };
	struct init_request request = {
		.op = INIT_START_COMMAND,
		.limits = { .open_files = job->open_files,
			    .file_bytes = job->file_bytes,
			    .processes = sandbox_process_rlimit(sandbox) },
	};
	return packet_send(sandbox->init.fd, &request, sizeof request, fds, 4);
}

int sandbox_start_command(struct sandbox *sandbox, const struct sandbox_job *job)
{
	struct command *command = &sandbox->command;

	if (sandbox->phase != SANDBOX_IDLE)
		return -EBUSY;
	int error = note_others(sandbox);
	if (error)
		return error;
	command->ended = command->swept = command->killed = false;
	sandbox->phase = SANDBOX_COMMANDED;
	error = ask(sandbox, job);
	if (error) {
		forget_command(sandbox);
		sandbox->phase = SANDBOX_IDLE;
	}
	return error;
}

/* The command's own end, and that of what it left behind. */
static void finish_if_over(struct sandbox *sandbox)
{
	struct command *command = &sandbox->command;

	if (!command->ended || !command->swept)
		return;
	for (int i = 0; i < STREAMS; i++)
		sandbox_drain_stream(&command->streams[i], true);
	if (sandbox->phase != SANDBOX_COMMANDED) /* the owner has had enough */
		return;
	struct cgroup_limits group = sandbox_group_limits(sandbox, &sandbox->limits);
	int error = cgroup_limit(sandbox->cgroup, &group); /* forks again */
	forget_command(sandbox);
	if (error) {
		sandbox_fail(sandbox, "go on after a command", error);
		return;
	}
	sandbox->phase = SANDBOX_IDLE;
	sandbox->owner.died(sandbox->owner.context, sandbox, command->status);
}

void sandbox_command_swept(struct sandbox *sandbox)
{
	sandbox->command.swept = true;
	finish_if_over(sandbox);
}

bool sandbox_command_keeps(const struct sandbox *sandbox, pid_t pid)
{
	const struct command *command = &sandbox->command;

	return pid == sandbox->interpreter.pid ||
	       (command->before_count && bsearch(&pid, command->before, command->before_count,
						 sizeof pid, compare_pids));
}

int sandbox_kill_command(struct sandbox *sandbox)
{
	if (sandbox->phase != SANDBOX_COMMANDED)
		return -ESRCH;
	if (sandbox->command.killed)
		return 0;
	sandbox->command.killed = true;
	int error = cgroup_forbid_forks(sandbox->cgroup);
	if (error)
		return error;
	sandbox->sweeps = 0;
	return loop_set_timer(sandbox->all->config.loop, &sandbox->timer, loop_now_us(),
			      sandbox_on_sweep);
}

void sandbox_command_started(struct sandbox *sandbox, pid_t inside)
{
	if (sandbox->phase != SANDBOX_COMMANDED)
		return;
	if (inside < 0) /* no process could be forked for it */
		sandbox_command_ended(sandbox, SIGKILL);
	else if (!sandbox->command.ended)
		sandbox->command.inside = inside;
}

void sandbox_command_ended(struct sandbox *sandbox, int status)
{
	sandbox->command.ended = true;
	sandbox->command.inside = 0;
	sandbox->command.status = status;
	if (sandbox->command.swept)
		finish_if_over(sandbox);
	else if (sandbox_kill_command(sandbox))
		sandbox_fail(sandbox, "end a command", -EIO);
}
