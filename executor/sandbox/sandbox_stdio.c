#define _GNU_SOURCE
/* The job's standard descriptors: two pipes out, which stay for as long as the
 * program leaves them alone, and one in, made when there is something to read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

enum {
	CHUNK_BYTES = 64 << 10,
	/* A program that goes on writing must not keep us reading: after its job
	 * no more than the largest pipe (fs.pipe-max-size) is taken. */
	DRAIN_BYTES_MAX = 1 << 20,
};

/* Between jobs only leftovers come: of threads, of children. */
static bool is_wanted(const struct stream *stream)
{
	enum sandbox_state state = stream->sandbox->state;

	return stream->of_command ? state >= SANDBOX_COMMANDED && state <= SANDBOX_COMMAND_ENDED
				  : state == SANDBOX_BUSY || state == SANDBOX_ASKS;
}

/* Read once. Bytes read, 0 when there is nothing now (or ever). */
static size_t read_chunk(struct stream *stream, bool deliver)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct sandbox *sandbox = stream->sandbox;
	ssize_t got = read(stream->source.fd, chunk, sizeof chunk);

	if (got < 0)
		return 0;
	if (got == 0) { /* nobody can write any more */
		loop_remove(sandbox->all->config.loop, &stream->source);
		stream->held = false;
		return 0;
	}
	stream->received += (uint32_t)got;
	if (deliver && sandbox->owner.output)
		sandbox->owner.output(sandbox->owner.context, sandbox, stream->which, chunk,
				      (size_t)got);
	return (size_t)got;
}

static void on_readable(struct loop_source *source, uint32_t events)
{
	struct stream *stream = LOOP_OWNER(source, struct stream, source);

	(void)events;
	(void)read_chunk(stream, is_wanted(stream));
}

void sandbox_drain_stream(struct stream *stream, bool deliver)
{
	size_t total = 0, got = 1;

	while (got && total < DRAIN_BYTES_MAX && (stream->source.added || stream->held) &&
	       stream->sandbox->state < SANDBOX_FAILED) {
		got = read_chunk(stream, deliver);
		total += got;
	}
}

/* Not by waiting for no event: the end of a pipe is told all the same. */
static void hold_stream(struct stream *stream, bool hold)
{
	if (hold && stream->source.added) {
		loop_remove(stream->sandbox->all->config.loop, &stream->source);
		stream->held = true;
	} else if (!hold && stream->held) {
		stream->held = false;
		(void)loop_add(stream->sandbox->all->config.loop, &stream->source,
			       stream->source.fd, EPOLLIN, on_readable);
	}
}

void sandbox_hold_streams(struct sandbox *sandbox, bool hold)
{
	for (int i = 0; i < STREAMS; i++) {
		hold_stream(&sandbox->streams[i], hold);
		hold_stream(&sandbox->command.streams[i], hold);
	}
}

int sandbox_open_stream(struct sandbox *sandbox, struct stream *stream, enum sandbox_stream which,
			int *ret_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK); /* our end alone */
	int error =
		loop_add(sandbox->all->config.loop, &stream->source, ends[0], EPOLLIN, on_readable);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	stream->sandbox = sandbox;
	stream->which = which;
	stream->held = false;
	*ret_end = ends[1];
	return 0;
}

void sandbox_close_stream(struct stream *stream)
{
	if (stream->source.added)
		loop_remove(stream->sandbox->all->config.loop, &stream->source);
	stream->held = false;
	owned_close(&stream->source.fd);
}

static int give_output(struct sandbox *sandbox, enum sandbox_stream which)
{
	AUTO_FD end = -1;
	int error = sandbox_open_stream(sandbox, &sandbox->streams[which], which, &end);

	if (error)
		return error;
	return notify_give_fd(sandbox->listener.fd, sandbox->interpreter.waits, end,
			      which == SANDBOX_STDOUT ? STDOUT_FILENO : STDERR_FILENO);
}

/* Opened each time: its flags, owner and signal could be read and set in every
 * sandbox that was given the same one. */
static int open_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sandbox_give_stdio(struct sandbox *sandbox)
{
	AUTO_FD null = open_null();
	int error = null < 0 ? null : 0;

	sandbox_close_stdio(sandbox);
	if (!error)
		error = give_output(sandbox, SANDBOX_STDOUT);
	if (!error)
		error = give_output(sandbox, SANDBOX_STDERR);
	if (!error)
		error = notify_give_fd(sandbox->listener.fd, sandbox->interpreter.waits, null,
				       STDIN_FILENO);
	if (!error) {
		sandbox->stdio_intact = true;
		sandbox->stdin_given = false;
	}
	return error;
}

void sandbox_close_feeder(struct sandbox *sandbox)
{
	loop_remove(sandbox->all->config.loop, &sandbox->feeder);
	owned_close(&sandbox->feeder.fd);
	free(sandbox->feed);
	sandbox->feed = NULL;
	sandbox->feed_length = sandbox->feed_done = 0;
}

static void on_writable(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, feeder);
	ssize_t wrote = write(source->fd, sandbox->feed + sandbox->feed_done,
			      sandbox->feed_length - sandbox->feed_done);

	if (wrote > 0)
		sandbox->feed_done += (size_t)wrote;
	else if (errno == EAGAIN && !(events & EPOLLERR))
		return;
	/* all given, or nobody reads */
	if (wrote <= 0 || sandbox->feed_done == sandbox->feed_length)
		sandbox_close_feeder(sandbox);
}

/* What does not fit into the pipe at once is fed as the program reads. */
static int feed(struct sandbox *sandbox, int end, const uint8_t *bytes, size_t length)
{
	ssize_t wrote = write(end, bytes, length);
	size_t done = wrote > 0 ? (size_t)wrote : 0;

	if (done == length) {
		close(end);
		return 0;
	}
	sandbox->feed = malloc(length - done);
	if (!sandbox->feed) {
		close(end);
		return -ENOMEM;
	}
	memcpy(sandbox->feed, bytes + done, length - done);
	sandbox->feed_length = length - done;
	sandbox->feed_done = 0;
	sandbox->feeder.fd = end;
	return loop_add(sandbox->all->config.loop, &sandbox->feeder, end, EPOLLOUT, on_writable);
}

int sandbox_open_input(struct sandbox *sandbox, const void *bytes, size_t length, int *ret_end)
{
	int ends[2];

	sandbox_close_feeder(sandbox);
	if (!length) {
		*ret_end = open_null();
		return *ret_end < 0 ? *ret_end : 0;
	}
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	(void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
	int error = feed(sandbox, ends[1], bytes, length);
	if (error)
		close(ends[0]);
	else
		*ret_end = ends[0];
	return error;
}

int sandbox_give_stdin(struct sandbox *sandbox, const void *bytes, size_t length)
{
	AUTO_FD end = -1;

	if (!length && !sandbox->stdin_given)
		return 0;
	int error = sandbox_open_input(sandbox, bytes, length, &end);
	if (error)
		return error;
	sandbox->stdin_given = length > 0;
	return notify_give_fd(sandbox->listener.fd, sandbox->interpreter.waits, end, STDIN_FILENO);
}

void sandbox_close_stdio(struct sandbox *sandbox)
{
	for (int i = 0; i < STREAMS; i++)
		sandbox_close_stream(&sandbox->streams[i]);
	sandbox_close_feeder(sandbox);
	sandbox->stdio_intact = false;
}
