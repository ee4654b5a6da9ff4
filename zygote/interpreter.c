#define _GNU_SOURCE
#include "zygote/init.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/message.h"
#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/forks.h"
#include "zygote/child_enter.h"
#include "zygote/filter.h"
#include "zygote/notification.h"
#include "zygote/python/python.h"

enum { EXIT_SETUP = 125, STDIO_COUNT = 3 };

struct stdio_identity {
	dev_t device[STDIO_COUNT];
	ino_t inode[STDIO_COUNT];
};

/* Set-up has failed before any user code ran: say where, and end. */
static _Noreturn void give_up(int init_socket, const char *step, int error)
{
	struct init_event event = { .kind = EVENT_FAILED, .pid = getpid(), .error = -error };

	strncpy(event.step, step, sizeof event.step - 1);
	(void)packet_send(init_socket, &event, sizeof event, NULL, 0);
	_exit(EXIT_SETUP);
}

static void enter(int init_socket, uid_t uid, const struct init_limits *limits)
{
	int listener = -1;
	const char *step = "";
	struct child_plan plan = { .keep_fd = init_socket,
				   .uid = uid,
				   .processes = limits->processes,
				   .ret_listener = &listener };
	int error = child_enter(&plan, &step);

	if (error)
		give_up(init_socket, step, error);

	struct init_event event = { .kind = EVENT_LISTENER, .pid = getpid() };
	error = packet_send(init_socket, &event, sizeof event, &listener, 1);
	if (error)
		give_up(init_socket, "hand over the listener", error);
	close(listener);
	close(init_socket);
}

static void identify_stdio(struct stdio_identity *ret_identity)
{
	memset(ret_identity, 0, sizeof *ret_identity);
	for (int fd = 0; fd < STDIO_COUNT; fd++) {
		struct stat info;

		if (fstat(fd, &info))
			continue;
		ret_identity->device[fd] = info.st_dev;
		ret_identity->inode[fd] = info.st_ino;
	}
}

/* Never upwards: the kernel refuses, and the answer does not matter. */
static void lower_limits(const struct mailbox *job)
{
	struct rlimit files = { job->open_files, job->open_files };
	struct rlimit bytes = { job->file_bytes, job->file_bytes };

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_FSIZE, &bytes);
}

/* A profile's further walls go up once and stay. */
static bool raise_walls(uint32_t flags)
{
	static uint32_t raised;

	if (flags & ~raised & MAILBOX_READONLY && filter_add(FILTER_READONLY))
		return false;
	if (flags & ~raised & MAILBOX_RESTRICTED && filter_add(FILTER_RESTRICTED))
		return false;
	raised |= flags;
	return true;
}

static void deliver(struct mailbox *mailbox, const struct buffer *report, int exit_code)
{
	size_t length = report->length < MAILBOX_REPORT_MAX ? report->length : MAILBOX_REPORT_MAX;

	if (length)
		memcpy((uint8_t *)mailbox + MAILBOX_REPORT_OFFSET, report->data, length);
	mailbox->report_length = (uint32_t)length;
	mailbox->exit_code = exit_code;
}

/* Nobody is told: it was answered when it ran the first time. */
static void replay(const struct mailbox *job, const char *code)
{
	AUTO_BUFFER report = BUFFER_INIT(MAILBOX_REPORT_MAX);

	(void)python_run(&(struct job){ .kind = JOB_CELL,
					.code = code,
					.code_length = job->replay_length,
					.restricted = job->flags & MAILBOX_RESTRICTED,
					.execution = job->execution },
			 &report);
}

static void run_job(struct mailbox *mailbox)
{
	AUTO_BUFFER report = BUFFER_INIT(MAILBOX_REPORT_MAX);
	AUTO_FREE char *code = NULL;
	struct mailbox job = *mailbox;

	if (job.payload_length > MAILBOX_PAYLOAD_MAX || job.replay_length > job.payload_length ||
	    !raise_walls(job.flags))
		_exit(EXIT_SETUP);
	/* the mailbox is shared, hence writable by the program's forks: copy */
	code = malloc(job.payload_length + 1);
	if (!code)
		_exit(EXIT_SETUP);
	memcpy(code, (uint8_t *)mailbox + MAILBOX_PAYLOAD_OFFSET, job.payload_length);
	code[job.payload_length] = '\0';
	lower_limits(&job);
	if (job.replay_length)
		replay(&job, code);

	int exit_code =
		python_run(&(struct job){ .kind = (enum job_kind)job.kind,
					  .code = code + job.replay_length,
					  .code_length = job.payload_length - job.replay_length,
					  .restricted = job.flags & MAILBOX_RESTRICTED,
					  .streaming = job.flags & MAILBOX_STREAMING,
					  .interactive = job.flags & MAILBOX_INTERACTIVE,
					  .execution = job.execution },
			   &report);
	if (job.kind == JOB_SCRIPT)
		exit_code = python_finish(exit_code);
	deliver(mailbox, &report, exit_code);
}

static unsigned fork_flags(const struct mailbox *mailbox)
{
	switch (original_fork(mailbox)) {
	case ORIGINAL_FAILED:
	case ORIGINAL_SHARES:
		return NOTE_NO_COPY;
	default:
		return 0;
	}
}

static unsigned checkpoint_flags(void)
{
	switch (checkpoint_make()) {
	case CHECKPOINT_FAILED:
		return NOTE_NO_COPY;
	case CHECKPOINT_REFUSED:
		return NOTE_NO_COPY | NOTE_REFUSED;
	default:
		return 0;
	}
}

struct saying {
	unsigned note, flags;
};

static long say_and_wait(void *argument)
{
	const struct saying *saying = argument;

	return notification_send(saying->note, saying->flags);
}

_Noreturn void interpreter_main(int init_socket, struct mailbox *mailbox, uid_t uid,
				const struct init_limits *limits)
{
	struct stdio_identity given, found;
	struct saying saying = { .note = NOTE_READY };

	enter(init_socket, uid, limits);
	python_attach(&(struct python_host){ .mailbox = mailbox, .ask = notification_ask });
	for (;;) {
		switch (python_wait(say_and_wait, &saying)) {
		case ORDER_RUN:
			identify_stdio(&given);
			run_job(mailbox);
			identify_stdio(&found);
			saying.note = NOTE_DONE;
			saying.flags = memcmp(&given, &found, sizeof given) ? 0 : NOTE_STDIO_INTACT;
			break;
		case ORDER_CHECKPOINT:
			saying.flags = checkpoint_flags();
			saying.note = NOTE_READY;
			break;
		case ORDER_FORK:
			saying.flags = fork_flags(mailbox);
			saying.note = NOTE_READY;
			break;
		default: /* the executor is gone, or does not want us */
			_exit(0);
		}
	}
}
