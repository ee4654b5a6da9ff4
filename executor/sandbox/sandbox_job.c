/* A job: into the mailbox, and what comes out of it. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mailbox.h"
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

/* -- text ---------------------------------------------------------------------------- */

/* What a job has printed: first what is in its pipes, then what it has not flushed, which
 * lies in the mailbox (struct mailbox_text). So nothing is lost when a program ends hard,
 * and while somebody watches, what is printed shows some milliseconds later. All of it is
 * HOSTILE: counters are read once, bounded, and what they say is copied once. */

enum {
	WATCH_MS = 15,
	/* Who is flushing holds the text as long as one write() takes, which does not
	 * wait as we empty the pipe. After so many tries he is dead, or lies. */
	TRIES = 4,
};

static struct mailbox_text *text_of(const struct stream *stream)
{
	return (struct mailbox_text *)((char *)stream->sandbox->mailbox + MAILBOX_TEXT_OFFSET +
				       (stream->which == SANDBOX_STDOUT ? 0 : MAILBOX_TEXT_STRIDE));
}

static uint32_t count(struct mailbox_text *text)
{
	uint32_t waiting = atomic_load(&text->head) - atomic_load(&text->tail);

	return waiting <= MAILBOX_TEXT_BYTES ? waiting : 0;
}

static bool hold(struct mailbox_text *text)
{
	uint32_t holder = TEXT_FREE;

	return atomic_compare_exchange_strong(&text->holder, &holder, TEXT_TAKEN);
}

/* How many of the bytes that still lie here have come out of the pipe already. Each byte
 * that is written moves `tail` or `direct` once it has been: so what was received beyond
 * these is what the program had no time to count, unless others write to the pipe as well. */
static uint32_t count_written(const struct stream *stream, struct mailbox_text *text)
{
	uint32_t counted = atomic_load(&text->tail) + atomic_load(&text->direct);
	uint32_t written = stream->received - counted + stream->shift;

	return written == atomic_load(&text->flushing) ? written : 0;
}

/* Copies all of it out, and lets go. */
static size_t take(struct stream *stream, struct mailbox_text *text, bool held, uint8_t *bytes)
{
	uint32_t head = atomic_load(&text->head), tail = atomic_load(&text->tail);
	uint32_t length = head - tail, written = held ? 0 : count_written(stream, text);

	if (length > MAILBOX_TEXT_BYTES)
		length = 0;
	stream->shift += head - tail;
	if (written <= length) {
		tail += written;
		length -= written;
	}

	uint32_t place = tail % MAILBOX_TEXT_BYTES, at_once = MAILBOX_TEXT_BYTES - place;
	if (at_once > length)
		at_once = length;
	memcpy(bytes, text->bytes + place, at_once);
	memcpy(bytes + at_once, text->bytes, length - at_once);
	atomic_store(&text->tail, head);
	atomic_store(&text->holder, TEXT_FREE);
	return length;
}

/* What is in the pipe is older: while we hold the text, no more gets there. */
static void empty(struct stream *stream, bool deliver, bool insist)
{
	static uint8_t bytes[MAILBOX_TEXT_BYTES];
	struct sandbox *sandbox = stream->sandbox;
	struct mailbox_text *text = text_of(stream);
	bool held = hold(text);

	for (int tries = 0; insist && !held && tries < TRIES; tries++) {
		sandbox_drain_stream(stream, deliver);
		(void)sched_yield();
		held = hold(text);
	}
	sandbox_drain_stream(stream, deliver);
	if (!held && !insist)
		return;

	size_t length = take(stream, text, held, bytes);
	if (length && deliver && sandbox->state < SANDBOX_FAILED && sandbox->owner.output)
		sandbox->owner.output(sandbox->owner.context, sandbox, stream->which, bytes,
				      length);
}

void sandbox_drain(struct sandbox *sandbox, bool deliver)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &sandbox->streams[i];

		if (stream->sandbox && count(text_of(stream)))
			empty(stream, deliver, true);
		else
			sandbox_drain_stream(stream, deliver);
	}
}

void sandbox_take_output(struct sandbox *sandbox)
{
	if (sandbox->state == SANDBOX_BUSY || sandbox->state == SANDBOX_ASKS)
		sandbox_drain(sandbox, true);
}

/* -- while somebody watches ---------------------------------------------------------------- */

static bool is_watched(const struct sandbox *sandbox)
{
	return sandbox->watched &&
	       (sandbox->state == SANDBOX_BUSY || sandbox->state == SANDBOX_ASKS);
}

/* An owner's callback may kill sandboxes, but their memory stays until the loop goes on. */
static void on_watch(struct loop_timer *timer)
{
	struct sandboxes *all = LOOP_OWNER(timer, struct sandboxes, watch);
	bool again = false;

	for (struct sandbox *sandbox = all->first, *next; sandbox; sandbox = next) {
		next = sandbox->next;
		for (int i = 0; i < STREAMS && is_watched(sandbox) && !sandbox->held; i++) {
			if (count(text_of(&sandbox->streams[i])))
				empty(&sandbox->streams[i], true, false);
		}
		again = again || is_watched(sandbox);
	}
	if (again)
		(void)loop_set_timer(all->config.loop, timer, loop_now_us() + WATCH_MS * 1000,
				     on_watch);
}

/* What threads have printed since the last job, and not flushed, goes with this one. */
void sandbox_begin_text(struct sandbox *sandbox, bool watched)
{
	struct sandboxes *all = sandbox->all;

	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &sandbox->streams[i];
		struct mailbox_text *text = text_of(stream);

		sandbox_drain_stream(stream, false);
		stream->shift =
			atomic_load(&text->tail) + atomic_load(&text->direct) - stream->received;
	}
	sandbox->watched = watched;
	if (watched && !all->watch.place)
		(void)loop_set_timer(all->config.loop, &all->watch, loop_now_us() + WATCH_MS * 1000,
				     on_watch);
}
