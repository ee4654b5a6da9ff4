#define _GNU_SOURCE
#include "executor/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/message.h"
#include "common/owned.h"

enum {
	READ_BYTES = 64 << 10,
	/* Output that the application does not fetch: more than any run's limit. */
	OUTPUT_BYTES_MAX = 64 << 20,
	/* Streamed output that waits to be fetched: with more than this the program
	 * has to wait, with less than that it goes on. */
	STREAM_BYTES_FULL = 256 << 10,
	STREAM_BYTES_LOW = 64 << 10,
	FORGET_BYTES = 128 << 10,
	KEPT_BYTES = 512 << 10, /* a buffer that grew larger is given back */
	/* Calls of one connection before the others have their turn. */
	FRAMES_IN_A_ROW = 64,
};

struct connection {
	struct connections *all;
	struct connection *next, **link;
	struct loop_source source;
	struct loop_timer again; /* go on with what has come, or hang up */
	struct buffer input, output;
	size_t sent;   /* bytes at the front of output that are gone */
	int passed_fd; /* goes with the byte at pass_at; -1: none */
	size_t pass_at;
	struct call *call;
	struct ucred peer;
	bool broken;
	bool full; /* call_has_room() has said no */
};

static void on_ready(struct loop_source *source, uint32_t events);
static void on_again(struct loop_timer *timer);

/* -- calls ------------------------------------------------------------------ */

static void free_call(struct call *call)
{
	if (call->connection)
		call->connection->call = NULL;
	free(call->fields);
	free(call);
}

static void cancel_call(struct connection *connection)
{
	struct call *call = connection->call;

	if (!call)
		return;
	connection->all->calls--;
	if (call->cancel)
		call->cancel(call);
	free_call(call);
}

static void drop(struct connection *connection)
{
	cancel_call(connection);
	loop_clear_timer(connection->all->config->loop, &connection->again);
	loop_remove(connection->all->config->loop, &connection->source);
	close(connection->source.fd);
	owned_close(&connection->passed_fd);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	buffer_reset(&connection->input);
	buffer_reset(&connection->output);
	free(connection);
}

/* Not at once: whoever answers a call is in the middle of something, and the
 * next call may be the end of it. */
static void go_on_later(struct connection *connection)
{
	(void)loop_set_timer(connection->all->config->loop, &connection->again, loop_now_us(),
			     on_again);
}

/* One write; descriptors need a byte to go along with. */
static ssize_t send_some(struct connection *connection)
{
	const uint8_t *at = connection->output.data + connection->sent;
	size_t left = connection->output.length - connection->sent;

	if (connection->passed_fd >= 0 && connection->sent == connection->pass_at) {
		int error = frame_send_with_fd(connection->source.fd, at, 1, connection->passed_fd);

		if (error) {
			errno = -error;
			return -1;
		}
		owned_close(&connection->passed_fd);
		return 1;
	}
	if (connection->passed_fd >= 0 && left > connection->pass_at - connection->sent)
		left = connection->pass_at - connection->sent;
	return send(connection->source.fd, at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A stream may never be at its end: what has gone must not stay in memory. */
static void forget_sent(struct connection *connection)
{
	struct buffer *output = &connection->output;

	if (connection->sent == output->length) {
		connection->sent = output->length = 0;
		if (output->capacity > KEPT_BYTES)
			buffer_reset(output);
	} else if (connection->sent >= FORGET_BYTES && connection->passed_fd < 0) {
		buffer_consume(output, connection->sent);
		connection->sent = 0;
	}
}

static void flush(struct connection *connection)
{
	while (!connection->broken && connection->sent < connection->output.length) {
		ssize_t wrote = send_some(connection);

		if (wrote < 0 && errno == EAGAIN)
			break;
		if (wrote < 0 && errno != EINTR)
			connection->broken = true; /* hanging up will be seen by reading */
		if (wrote > 0)
			connection->sent += (size_t)wrote;
	}
	bool done = connection->sent == connection->output.length;
	forget_sent(connection);
	(void)loop_change(connection->all->config->loop, &connection->source,
			  EPOLLIN | (done || connection->broken ? 0 : EPOLLOUT));
}

static void send_frame(struct call *call, enum frame_type type, const void *payload, size_t length)
{
	struct connection *connection = call->connection;

	if (frame_append(&connection->output, (uint8_t)type, call->number, payload, length)) {
		connection->broken = true;
		go_on_later(connection);
	}
}

void call_event(struct call *call, enum frame_type type, const void *bytes, size_t length)
{
	send_frame(call, type, bytes, length);
	flush(call->connection);
}

void call_output(struct call *call, unsigned stream, const void *bytes, size_t length)
{
	call_event(call, stream ? FRAME_STDERR : FRAME_STDOUT, bytes, length);
}

static size_t waiting_bytes(const struct connection *connection)
{
	return connection->output.length - connection->sent;
}

bool call_has_room(const struct call *call)
{
	struct connection *connection = call->connection;

	connection->full |= waiting_bytes(connection) > STREAM_BYTES_FULL;
	return !connection->full;
}

/* The peer reads again. */
static void tell_room(struct connection *connection)
{
	if (!connection->full || waiting_bytes(connection) > STREAM_BYTES_LOW)
		return;
	connection->full = false;
	if (connection->call && connection->call->has_room)
		connection->call->has_room(connection->call);
}

static void pass_fd(struct connection *connection, int fd)
{
	if (fd < 0 || connection->passed_fd >= 0)
		return;
	connection->passed_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	connection->pass_at = connection->output.length;
}

void call_workspace(struct call *call, int fd)
{
	pass_fd(call->connection, fd);
	send_frame(call, FRAME_WORKSPACE, NULL, 0);
	flush(call->connection);
}

void call_finish_with_fd(struct call *call, enum frame_type type, const struct buffer *fields,
			 int fd)
{
	struct connection *connection = call->connection;

	connection->all->calls--;
	pass_fd(connection, fd);
	send_frame(call, type, fields->data, fields->length);
	free_call(call);
	flush(connection);
	if (connection->input.length)
		go_on_later(connection);
}

void call_finish(struct call *call, enum frame_type type, const struct buffer *fields)
{
	call_finish_with_fd(call, type, fields, -1);
}

/* -- frames in -------------------------------------------------------------- */

static const struct operation *find_operation(const struct connections *all, unsigned type)
{
	if (type >= all->config->operation_count || !all->config->operations[type].handle)
		return NULL;
	return &all->config->operations[type];
}

static struct call *new_call(struct connection *connection, const struct frame_header *header,
			     const uint8_t *payload)
{
	struct call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	call->fields = malloc(header->length + 1);
	if (!call->fields) {
		free(call);
		return NULL;
	}
	memcpy(call->fields, payload, header->length);
	call->length = header->length;
	call->number = header->number;
	call->type = (enum frame_type)header->type;
	call->connection = connection;
	call->started_us = loop_now_us();
	connection->call = call;
	connection->all->calls++;
	return call;
}

static void begin_call(struct connection *connection, const struct frame_header *header,
		       const uint8_t *payload)
{
	const struct connections *all = connection->all;
	const struct operation *operation = find_operation(all, header->type);

	if (!operation || header->length > operation->most_bytes ||
	    fields_check(payload, header->length)) {
		log_warn("a peer sent a frame of type %u with %u bytes that is not understood",
			 header->type, header->length);
		connection->broken = true;
		return;
	}
	struct call *call = new_call(connection, header, payload);
	if (!call) {
		connection->broken = true;
		return;
	}
	buffer_consume(&connection->input, FRAME_HEADER_BYTES + header->length);
	if (all->stopping)
		all->refuse(call);
	else
		operation->handle(all->config->context, call);
}

static void on_continue(struct connection *connection, uint32_t number)
{
	struct call *call = connection->call;

	buffer_consume(&connection->input, FRAME_HEADER_BYTES);
	if (!call || call->number != number || !call->proceed)
		return;
	void (*proceed)(struct call *) = call->proceed;
	call->proceed = NULL;
	proceed(call);
}

/* Whole frames, one call at a time; the next waits in the input buffer. */
static void take_frames(struct connection *connection)
{
	struct frame_header header;
	const uint8_t *payload;

	for (int i = 0; !connection->broken; i++) {
		if (i == FRAMES_IN_A_ROW) {
			go_on_later(connection);
			return;
		}
		int got = frame_parse(&connection->input, FRAME_REQUEST_MAX, &header, &payload);

		if (got < 0)
			connection->broken = true;
		if (got <= 0)
			return;
		if (header.type == FRAME_CONTINUE && header.length)
			connection->broken = true; /* it says all by its type */
		else if (header.type == FRAME_CONTINUE)
			on_continue(connection, header.number);
		else if (connection->call)
			return;
		else
			begin_call(connection, &header, payload);
	}
}

/* False: the connection is at its end. */
static bool read_some(struct connection *connection)
{
	if (buffer_reserve(&connection->input, READ_BYTES))
		return false;
	ssize_t got = recv(connection->source.fd, connection->input.data + connection->input.length,
			   connection->input.capacity - connection->input.length, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->input.length += (size_t)got;
	return got > 0;
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct connection *connection = LOOP_OWNER(source, struct connection, source);

	if (events & EPOLLOUT) {
		flush(connection);
		tell_room(connection);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		if (!read_some(connection)) {
			drop(connection);
			return;
		}
		take_frames(connection);
	}
	if (connection->broken)
		drop(connection);
}

static void on_again(struct loop_timer *timer)
{
	struct connection *connection = LOOP_OWNER(timer, struct connection, again);

	take_frames(connection);
	if (connection->broken)
		drop(connection);
}

/* -- connections ------------------------------------------------------------ */

const struct ucred *call_peer(const struct call *call)
{
	return &call->connection->peer;
}

int connection_open(struct connections *all, int fd, const struct ucred *peer)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (!connection)
		return -ENOMEM;
	connection->all = all;
	connection->passed_fd = -1;
	connection->peer = *peer;
	connection->input = BUFFER_INIT(FRAME_REQUEST_MAX + FRAME_HEADER_BYTES + READ_BYTES);
	connection->output = BUFFER_INIT(OUTPUT_BYTES_MAX);
	int error = loop_add(all->config->loop, &connection->source, fd, EPOLLIN, on_ready);
	if (error) {
		free(connection);
		return error;
	}
	connection->next = all->first;
	connection->link = &all->first;
	if (all->first)
		all->first->link = &connection->next;
	all->first = connection;
	return 0;
}

void connections_drop_all(struct connections *all)
{
	while (all->first)
		drop(all->first);
}
