/* A job: into the mailbox, and what comes out of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/sandbox/notify.h"
#include "executor/sandbox/sandbox_parts.h"

static uint8_t *payload_area(struct sandbox *sandbox)
{
	return (uint8_t *)sandbox->mailbox + MAILBOX_PAYLOAD_OFFSET;
}

static void put_job(struct sandbox *sandbox, const struct sandbox_job *job)
{
	struct mailbox *mailbox = sandbox->mailbox;

	if (job->replay_length)
		memcpy(payload_area(sandbox), job->replay, job->replay_length);
	if (job->payload_length)
		memcpy(payload_area(sandbox) + job->replay_length, job->payload,
		       job->payload_length);
	mailbox->kind = job->kind;
	mailbox->flags = job->flags;
	mailbox->execution = job->execution;
	mailbox->open_files = job->open_files;
	mailbox->file_bytes = job->file_bytes;
	mailbox->replay_length = (uint32_t)job->replay_length;
	mailbox->payload_length = (uint32_t)(job->replay_length + job->payload_length);
	mailbox->report_length = 0;
	mailbox->exit_code = 0;
}

int job_start(struct sandbox *sandbox, const struct happening *what)
{
	const struct sandbox_job *job = what->job;
	int error = sandbox_make_room(sandbox, 0);

	if (job->payload_length > MAILBOX_PAYLOAD_MAX ||
	    job->replay_length > MAILBOX_PAYLOAD_MAX - job->payload_length)
		return -EMSGSIZE;
	if (!error && !sandbox->stdio_intact)
		error = sandbox_give_stdio(sandbox);
	if (!error)
		error = sandbox_give_stdin(sandbox, job->stdin_bytes, job->stdin_length);
	if (error)
		return error;
	sandbox_begin_text(sandbox, job->flags & MAILBOX_STREAMING);
	put_job(sandbox, job);
	return target_answer(sandbox, &sandbox->interpreter, ORDER_RUN);
}

int job_give_input(struct sandbox *sandbox, const struct happening *what)
{
	if (what->length > MAILBOX_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (what->length)
		memcpy(payload_area(sandbox), what->bytes, what->length);
	sandbox->mailbox->payload_length = (uint32_t)what->length;
	return target_answer(sandbox, &sandbox->interpreter,
			     ORDER_INPUT | (what->eof ? ORDER_EOF : 0));
}

int job_drain(struct sandbox *sandbox, const struct happening *what)
{
	target_accept(&sandbox->interpreter, what->note);
	sandbox_drain(sandbox, true);
	return 0;
}

int job_finish(struct sandbox *sandbox, const struct happening *what)
{
	sandbox->stdio_intact &= (what->note->flags & NOTE_STDIO_INTACT) != 0;
	return job_drain(sandbox, what);
}

int job_drain_last(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	sandbox_drain(sandbox, true);
	return 0;
}

int job_leftovers(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	sandbox_drain(sandbox, false);
	return 0;
}

int job_copy_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length)
{
	/* volatile: read once, what we check is what we use */
	const volatile struct mailbox *mailbox = sandbox->mailbox;
	uint32_t length = mailbox->report_length;

	if (length > MAILBOX_REPORT_MAX)
		length = 0;
	uint8_t *report = malloc(length + 1);
	if (!report)
		return -ENOMEM;
	memcpy(report, (const uint8_t *)sandbox->mailbox + MAILBOX_REPORT_OFFSET, length);
	*ret_report = report;
	*ret_length = length;
	return 0;
}
