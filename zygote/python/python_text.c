#define _GNU_SOURCE
#include "zygote/python/python_stdio.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/mailbox.h"
#include "zygote/python/python_object.h"

enum {
	CHANNELS = 2,
	GATHERED_MAX = 8 << 10, /* then it is flushed, as by python3 */
	DIRECT_MIN = 16 << 10,  /* so much at once is not copied */
	QUIET_MS = 5,           /* while streaming: flush a line at once after so long */
};

/* A pipe takes so much as a whole or not at all: who is killed while he waits for room
 * has not written half of what his counter says. */
enum { CHUNK_MAX = PIPE_BUF };

struct channel {
	struct mailbox_text *text;   /* where it lies now: one of the next two */
	struct mailbox_text *shared; /* in the mailbox, or NULL */
	struct mailbox_text *own;    /* of this process */
	bool is_child;               /* of the program: `shared` is another's */
	dev_t device;                /* the job's descriptor */
	ino_t inode;
	uint64_t flushed_ms;
};

/* The rings lie apart: a fork copies each page that it writes to, so what is written at
 * every fork lies together, and a ring is left alone where there is nothing in it. */
static struct channel channels[CHANNELS];
static struct mailbox_text own_texts[CHANNELS];
static bool streaming;

static struct channel *channel_of(int fd)
{
	return &channels[fd == STDOUT_FILENO ? 0 : 1];
}

static int fd_of(const struct channel *channel)
{
	return channel == &channels[0] ? STDOUT_FILENO : STDERR_FILENO;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How much waits. A program can write anything into it. */
static uint32_t count(struct mailbox_text *text)
{
	uint32_t tail = atomic_load_explicit(&text->tail, memory_order_acquire);
	uint32_t waiting = atomic_load_explicit(&text->head, memory_order_relaxed) - tail;

	return waiting <= MAILBOX_TEXT_BYTES ? waiting : 0;
}

static void clear(struct mailbox_text *text)
{
	if (!atomic_load(&text->head) && !atomic_load(&text->tail) && !atomic_load(&text->holder))
		return;
	atomic_store(&text->head, 0);
	atomic_store(&text->tail, 0);
	atomic_store(&text->holder, TEXT_FREE);
}

/* -- where it lies -------------------------------------------------------------------- */

void python_text_share(struct mailbox *mailbox)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *channel = &channels[i];

		if (mailbox)
			channel->shared =
				(struct mailbox_text *)((char *)mailbox + MAILBOX_TEXT_OFFSET +
							i * MAILBOX_TEXT_STRIDE);
		if (!channel->shared)
			continue;
		channel->is_child = false;
		channel->text = channel->shared;
		clear(channel->shared);
		clear(channel->own);
	}
}

static void identify(struct channel *channel)
{
	struct stat info = { 0 };

	(void)fstat(fd_of(channel), &info);
	channel->device = info.st_dev;
	channel->inode = info.st_ino;
}

void python_text_begin(bool is_streaming, bool same)
{
	streaming = is_streaming;
	for (int i = 0; i < CHANNELS && !same; i++)
		identify(&channels[i]);
}

/* Nothing waits: what comes may lie elsewhere. */
static void choose_place(struct channel *channel)
{
	struct stat info;
	bool for_all = channel->shared && !channel->is_child && fstat(fd_of(channel), &info) == 0 &&
		       info.st_dev == channel->device && info.st_ino == channel->inode;

	channel->text = for_all ? channel->shared : channel->own;
}

/* -- forks of the program -------------------------------------------------------------- */

/* The parent may write on before the child gets to run. */
static void copy_for_child(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *channel = &channels[i];
		uint32_t waiting = count(channel->text);
		uint32_t tail = atomic_load(&channel->text->tail);

		if (channel->text == channel->own || !waiting)
			continue;
		clear(channel->own);
		for (uint32_t n = 0; n < waiting; n++)
			channel->own->bytes[n] =
				channel->text->bytes[(tail + n) % MAILBOX_TEXT_BYTES];
		atomic_store(&channel->own->head, waiting);
	}
}

static void stay_parent(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (channels[i].text != channels[i].own)
			clear(channels[i].own);
	}
}

static void become_child(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		channels[i].text = channels[i].own;
		channels[i].is_child = true;
		/* another thread may have been flushing it */
		if (atomic_load(&channels[i].own->holder))
			atomic_store(&channels[i].own->holder, TEXT_FREE);
	}
}

int python_text_prepare(void)
{
	for (int i = 0; i < CHANNELS; i++)
		channels[i].text = channels[i].own = &own_texts[i];
	if (!pthread_atfork(copy_for_child, stay_parent, become_child))
		return 0;
	PyErr_NoMemory();
	return -1;
}

/* -- in and out ------------------------------------------------------------------------ */

/* Without the GIL another thread, or the executor, comes to its end. 0, or -1 with an
 * error of a signal handler. */
static int hold(struct mailbox_text *text)
{
	static const struct timespec moment = { .tv_nsec = 50000 };
	uint32_t free = TEXT_FREE;

	while (!atomic_compare_exchange_strong(&text->holder, &free, TEXT_FLUSHED)) {
		free = TEXT_FREE;
		Py_BEGIN_ALLOW_THREADS(void) nanosleep(&moment, NULL);
		Py_END_ALLOW_THREADS if (PyErr_CheckSignals()) return -1;
	}
	return 0;
}

static void let_go(struct mailbox_text *text)
{
	atomic_store_explicit(&text->holder, TEXT_FREE, memory_order_release);
}

/* After a failed write(). 0: try again, or -1 with an error. */
static int explain(int error)
{
	if (error == EINTR)
		return PyErr_CheckSignals();
	errno = error;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static ssize_t write_without_gil(int fd, const void *bytes, size_t length, int *ret_error)
{
	ssize_t wrote;

	Py_BEGIN_ALLOW_THREADS wrote = write(fd, bytes, length);
	*ret_error = errno;
	Py_END_ALLOW_THREADS return wrote;
}

/* The next chunk, of what waited at `end`. 0, or -1 with an error. */
static int flush_chunk(int fd, struct mailbox_text *text, uint32_t end)
{
	if (hold(text))
		return -1;

	uint32_t tail = atomic_load_explicit(&text->tail, memory_order_relaxed);
	uint32_t place = tail % MAILBOX_TEXT_BYTES;
	uint32_t length = end - tail; /* the executor may have taken it all */
	ssize_t wrote = 0;
	int error = 0;

	if (length > MAILBOX_TEXT_BYTES)
		length = 0;
	if (length > CHUNK_MAX)
		length = CHUNK_MAX;
	if (length > MAILBOX_TEXT_BYTES - place)
		length = MAILBOX_TEXT_BYTES - place;
	atomic_store_explicit(&text->flushing, length, memory_order_relaxed);
	if (length)
		wrote = write_without_gil(fd, text->bytes + place, length, &error);
	if (wrote > 0)
		atomic_store_explicit(&text->tail, tail + (uint32_t)wrote, memory_order_release);
	let_go(text);
	return wrote < 0 ? explain(error) : 0;
}

static int flush(struct channel *channel)
{
	struct mailbox_text *text = channel->text;
	uint32_t end = atomic_load_explicit(&text->head, memory_order_relaxed);

	/* what other threads append meanwhile is theirs to flush */
	while ((int32_t)(end - atomic_load_explicit(&text->tail, memory_order_acquire)) > 0 &&
	       count(text)) {
		if (flush_chunk(fd_of(channel), text, end))
			return -1;
	}
	if (streaming)
		channel->flushed_ms = now_ms();
	return 0;
}

static int write_directly(struct channel *channel, const char *bytes, size_t length)
{
	while (length) {
		int error;
		ssize_t wrote = write_without_gil(fd_of(channel), bytes, length, &error);

		if (wrote < 0 && explain(error))
			return -1;
		if (wrote <= 0)
			continue;
		bytes += wrote;
		length -= (size_t)wrote;
		atomic_fetch_add(&channel->text->direct, (uint32_t)wrote);
	}
	return 0;
}

/* As much as there is room for. */
static size_t put(struct mailbox_text *text, const char *bytes, size_t length)
{
	uint32_t head = atomic_load_explicit(&text->head, memory_order_relaxed);
	uint32_t place = head % MAILBOX_TEXT_BYTES;
	size_t room = MAILBOX_TEXT_BYTES - count(text);
	size_t at_once = MAILBOX_TEXT_BYTES - place;

	if (length > room)
		length = room;
	if (length > at_once)
		length = at_once;
	memcpy(text->bytes + place, bytes, length);
	atomic_store_explicit(&text->head, head + (uint32_t)length, memory_order_release);
	return length;
}

/* Somebody watches, and has seen nothing for a while. A line that is not complete yet the
 * executor shows, some milliseconds later. */
static bool is_due(const struct channel *channel, char last)
{
	return streaming && last == '\n' && now_ms() - channel->flushed_ms >= QUIET_MS;
}

int python_text_append(int fd, const char *bytes, size_t length)
{
	struct channel *channel = channel_of(fd);

	if (length >= DIRECT_MIN)
		return flush(channel) ? -1 : write_directly(channel, bytes, length);
	if (!length)
		return 0;

	char last = bytes[length - 1];
	for (;;) {
		if (!count(channel->text))
			choose_place(channel);

		size_t done = put(channel->text, bytes, length);
		bytes += done;
		length -= done;
		if (!length)
			break;
		if (flush(channel))
			return -1;
	}
	if (count(channel->text) >= GATHERED_MAX || is_due(channel, last))
		return flush(channel);
	return 0;
}

int python_text_flush(int fd)
{
	return flush(channel_of(fd));
}

void python_text_discard(int fd)
{
	clear(channel_of(fd)->text);
}
