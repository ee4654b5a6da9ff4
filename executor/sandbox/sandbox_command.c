#define _GNU_SOURCE
/* A shell command beside the idle interpreter. It ends with all that it started:
 * what was not there before it, and is neither init, interpreter nor
 * checkpoint, is killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/message.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

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
	sweep_forget_others(sandbox);
	sandbox->command.inside = 0;
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
		.uid = SANDBOX_USER_UID + sandbox->user,
		.limits = { .open_files = job->open_files,
			    .file_bytes = job->file_bytes,
			    .processes = sandbox_process_rlimit(sandbox) },
	};
	return packet_send(sandbox->init.fd, &request, sizeof request, fds, 4);
}

int command_start(struct sandbox *sandbox, const struct happening *what)
{
	int error = sweep_note_others(sandbox);

	sandbox_recount_files(sandbox);
	if (!error) /* the shell is not one of the program's processes */
		error = sandbox_make_room(sandbox, 1);
	if (!error)
		error = ask(sandbox, what->job);
	if (error)
		forget_command(sandbox);
	return error;
}

int command_started(struct sandbox *sandbox, const struct happening *what)
{
	sandbox->command.inside = what->pid;
	return 0;
}

int command_kill(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	return sweep_begin(sandbox);
}

int command_note_end(struct sandbox *sandbox, const struct happening *what)
{
	sandbox->command.inside = 0;
	sandbox->command.status = what->event == ON_COMMAND_REFUSED ? SIGKILL : what->status;
	return 0;
}

int command_ended(struct sandbox *sandbox, const struct happening *what)
{
	(void)command_note_end(sandbox, what);
	return sweep_begin(sandbox);
}

/* The command's own end, and that of what it left behind. OTHERWISE: a thread of the
 * program has ended the interpreter meanwhile. */
int command_finish(struct sandbox *sandbox, const struct happening *what)
{
	uint64_t moves = sandbox->moves;

	(void)what;
	for (int i = 0; i < STREAMS; i++)
		sandbox_drain_stream(&sandbox->command.streams[i], true);
	if (sandbox->moves != moves) /* the owner has had enough */
		return 0;
	int error = sandbox_make_room(sandbox, 0); /* forks again */
	forget_command(sandbox);
	return error ? error : sandbox->interpreter.pid ? 0 : OTHERWISE;
}

int command_note_and_finish(struct sandbox *sandbox, const struct happening *what)
{
	(void)command_note_end(sandbox, what);
	return command_finish(sandbox, what);
}
