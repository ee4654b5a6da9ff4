/* A job: into the mailbox, and what comes out of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "executor/sandbox/notify.h"
#include "executor/sandbox/sandbox_parts.h"

enum { KEPT_BYTES = 64 << 10 }; /* of an area; most jobs and reports are smaller */

static uint8_t *payload_area(struct sandbox *sandbox)
{
	return (uint8_t *)sandbox->mailbox + MAILBOX_PAYLOAD_OFFSET;
}

/* What we write there, or read where the program has made a hole, is memory that counts
 * for us and not for the sandbox: none of it stays for long. */
static void give_back(struct sandbox *sandbox, size_t offset, size_t length)
{
	if (length > KEPT_BYTES)
		(void)madvise((uint8_t *)sandbox->mailbox + offset, length, MADV_REMOVE);
}

void job_give_payload_back(struct sandbox *sandbox)
{
	give_back(sandbox, MAILBOX_PAYLOAD_OFFSET, sandbox->payload_length);
	sandbox->payload_length = 0;
}

static void note_payload(struct sandbox *sandbox, size_t length)
{
	if (sandbox->payload_length < length)
		sandbox->payload_length = length;
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
	note_payload(sandbox, job->replay_length + job->payload_length);
	mailbox->report_length = 0;
	mailbox->exit_code = 0;
}

int job_start(struct sandbox *sandbox, const struct happening *what)
{
	const struct sandbox_job *job = what->job;
	int error = sandbox_make_room(sandbox, 0);

	sandbox_recount_files(sandbox);
	if (job->payload_length > MAILBOX_PAYLOAD_MAX ||
	    job->replay_length > MAILBOX_PAYLOAD_MAX - job->payload_length)
		return -EMSGSIZE;
	if (!error && !sandbox->stdio_intact)
		error = sandbox_give_stdio(sandbox);
	if (!error)
		error = sandbox_give_stdin(sandbox, job->stdin_bytes, job->stdin_length);
	if (error)
		return error;
	sandbox->display_held = false;
	sandbox_begin_text(sandbox, job->flags & MAILBOX_STREAMING);
	put_job(sandbox, job);
	return target_answer(sandbox, &sandbox->interpreter, ORDER_RUN);
}

void job_go_on(struct sandbox *sandbox)
{
	sandbox->display_held = sandbox->held && sandbox->state == SANDBOX_BUSY;
	if (!sandbox->display_held && sandbox->state == SANDBOX_BUSY)
		(void)target_answer(sandbox, &sandbox->interpreter, ORDER_GO_ON);
}

void sandbox_hold_output(struct sandbox *sandbox, bool hold)
{
	sandbox->held = hold;
	sandbox_hold_streams(sandbox, hold);
	if (!hold && sandbox->display_held)
		job_go_on(sandbox);
}

int job_give_input(struct sandbox *sandbox, const struct happening *what)
{
	if (what->length > MAILBOX_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (what->length)
		memcpy(payload_area(sandbox), what->bytes, what->length);
	note_payload(sandbox, what->length);
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

int job_copy_report(struct sandbox *sandbox, size_t most, uint8_t **ret_report, size_t *ret_length)
{
	/* volatile: read once, what we check is what we use */
	const volatile struct mailbox *mailbox = sandbox->mailbox;
	uint32_t length = mailbox->report_length;

	if (length > MAILBOX_REPORT_MAX)
		length = 0;
	*ret_report = NULL;
	*ret_length = length;
	if (length > most)
		return 0;
	uint8_t *report = malloc(length + 1);
	if (!report)
		return -ENOMEM;
	memcpy(report, (const uint8_t *)sandbox->mailbox + MAILBOX_REPORT_OFFSET, length);
	give_back(sandbox, MAILBOX_REPORT_OFFSET, length);
	*ret_report = report;
	return 0;
}
