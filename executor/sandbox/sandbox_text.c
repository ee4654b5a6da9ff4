/* What a job has printed: first what is in its pipes, then what it has not flushed, which
 * lies in the mailbox (struct mailbox_text). So nothing is lost when a program ends hard,
 * and while somebody watches, what is printed shows some milliseconds later. All of it is
 * HOSTILE: counters are read once, bounded, and what they say is copied once. */
#include <sched.h>
#include <string.h>

#include "common/mailbox.h"
#include "executor/sandbox/sandbox_parts.h"

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
