#define _GNU_SOURCE
#include "fcgi-app/execution/execution.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/message.h"
#include "common/owned.h"

enum {
	RECEIVE_BYTES = 64 << 10,
	KEPT_BYTES = 256 << 10, /* a buffer that grew larger is given back */
	SEND_SECONDS = 5,       /* a request is taken at once, or something is wrong */
	OUTPUT_MAX = 32 << 20,  /* far above any profile's limit: a bound on trust */
};

struct executor_client {
	struct sockaddr_un address;
	int fd;
	uint32_t number;
	int64_t deadline_ms; /* of the call: it begins again when files have been put */
	struct buffer sending, received;
	int arrived_fd; /* a descriptor whose frame has not been taken yet, or -1 */
};

int executor_client_new(const char *address, struct executor_client **ret_client)
{
	struct executor_client *client;

	if (!strncmp(address, "unix:", 5))
		address += 5;
	if (*address != '/')
		return -EINVAL;
	if (strlen(address) >= sizeof client->address.sun_path)
		return -ENAMETOOLONG;
	client = calloc(1, sizeof *client);
	if (!client)
		return -ENOMEM;
	client->fd = -1;
	client->arrived_fd = -1;
	client->address.sun_family = AF_UNIX;
	strcpy(client->address.sun_path, address);
	client->sending.limit = FRAME_HEADER_BYTES + FRAME_REQUEST_MAX;
	client->received.limit = FRAME_HEADER_BYTES + FRAME_FINAL_MAX + RECEIVE_BYTES;
	*ret_client = client;
	return 0;
}

static void disconnect(struct executor_client *client)
{
	owned_close(&client->fd);
	owned_close(&client->arrived_fd);
	buffer_reset(&client->received);
}

void executor_client_free(struct executor_client *client)
{
	if (!client)
		return;
	disconnect(client);
	buffer_reset(&client->sending);
	free(client);
}

void executor_answer_free(struct executor_answer *answer)
{
	owned_close(&answer->fd);
	buffer_reset(&answer->payload);
	buffer_reset(&answer->out);
	buffer_reset(&answer->err);
	buffer_reset(&answer->displays);
}

/* A kept connection is good if it is silent: an end of file says that the
 * executor went away, and bytes would belong to nobody. */
static bool connection_is_good(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int make_connection(struct executor_client *client)
{
	struct timeval patience = { .tv_sec = SEND_SECONDS };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience))
		return -errno;
	if (connect(fd, (const struct sockaddr *)&client->address, sizeof client->address))
		return -errno;
	client->fd = take_fd(&fd);
	return 0;
}

void executor_client_rest(struct executor_client *client)
{
	disconnect(client);
}

static int ensure_connection(struct executor_client *client)
{
	if (client->fd >= 0) {
		if (client->received.length == 0 && connection_is_good(client->fd))
			return 0;
		disconnect(client);
	}
	return make_connection(client);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the executor has something to say. 0, -ECANCELED or -ETIMEDOUT. */
static int wait_for_bytes(const struct executor_client *client, int hangup_fd, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd watched[2] = {
			{ .fd = client->fd, .events = POLLIN },
			{ .fd = hangup_fd, .events = POLLRDHUP }, /* -1 is left out */
		};
		int64_t left = deadline_ms - now_ms();
		int ready = left > 0 ? poll(watched, 2, (int)left) : 0;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && watched[0].revents)
			return 0;
		if (ready > 0 && watched[1].revents)
			return -ECANCELED;
	}
}

static int receive(struct executor_client *client)
{
	int fd = -1;
	int failed = buffer_reserve(&client->received, RECEIVE_BYTES);
	long got;

	if (failed)
		return failed;
	got = frame_receive_with_fd(client->fd, client->received.data + client->received.length,
				    RECEIVE_BYTES, &fd);
	if (got > 0)
		client->received.length += (size_t)got;
	if (fd >= 0) {
		owned_close(&client->arrived_fd);
		client->arrived_fd = fd;
	}
	return got > 0 ? 0 : got == 0 ? -ECONNRESET : (int)got;
}

/* The descriptor that came with a frame, in place of an earlier frame's. */
static void take_descriptor(struct executor_client *client, struct executor_answer *answer)
{
	owned_close(&answer->fd);
	answer->fd = take_fd(&client->arrived_fd);
}

/* The sandbox is there and waits: the files go in, and it goes on. */
static int put_files(struct executor_client *client, const struct exec_request *request,
		     int workspace_fd)
{
	int64_t began_ms = now_ms();
	struct frame_header header = { .version = PROTOCOL_VERSION,
				       .type = FRAME_CONTINUE,
				       .number = client->number };
	uint8_t bytes[FRAME_HEADER_BYTES];

	if (!request->files || workspace_fd < 0)
		return -EPROTO;
	if (request->files->put(request->files->context, workspace_fd))
		return -ECONNABORTED;
	client->deadline_ms += now_ms() - began_ms; /* that was the client's time */
	frame_encode_header(&header, bytes);
	return frame_write_all(client->fd, bytes, sizeof bytes);
}

/* Kept for the end where nobody wants it now. */
static int keep_event(const struct frame_header *header, const uint8_t *payload,
		      struct executor_answer *answer)
{
	switch (header->type) {
	case FRAME_STDOUT:
		return buffer_append(&answer->out, payload, header->length);
	case FRAME_STDERR:
		return buffer_append(&answer->err, payload, header->length);
	case FRAME_DISPLAY:
		return fields_put_bytes(&answer->displays, FIELD_CONTENT, payload, header->length);
	case FRAME_GAP:
		answer->lost_bytes += fields_number(payload, header->length, FIELD_LOST_BYTES, 0);
		return 0;
	default:
		return 0;
	}
}

static int take_event(const struct exec_request *request, const struct frame_header *header,
		      const uint8_t *payload, struct executor_answer *answer)
{
	const struct exec_events *events = request->events;
	bool is_list = header->type == FRAME_START || header->type == FRAME_INPUT ||
		       header->type == FRAME_GAP;

	if (is_list && fields_check(payload, header->length))
		return -EBADMSG;
	answer->begun = true;
	return events ? events->event(events->context, (enum frame_type)header->type, payload,
				      header->length)
		      : keep_event(header, payload, answer);
}

/* One frame of the answer. 1 if it was the final one, 0 if not, or -errno. */
static int take_frame(struct executor_client *client, const struct exec_request *request,
		      const struct frame_header *header, const uint8_t *payload,
		      struct executor_answer *answer)
{
	if (header->number != client->number)
		return -EPROTO;
	switch (header->type) {
	case FRAME_START:
	case FRAME_STDOUT:
	case FRAME_STDERR:
	case FRAME_DISPLAY:
	case FRAME_INPUT:
	case FRAME_GAP:
		return take_event(request, header, payload, answer);
	case FRAME_WORKSPACE:
		take_descriptor(client, answer);
		return put_files(client, request, answer->fd);
	case FRAME_OUTCOME:
	case FRAME_REPLY:
	case FRAME_REFUSAL:
		answer->type = (enum frame_type)header->type;
		if (client->arrived_fd >= 0)
			take_descriptor(client, answer);
		if (buffer_append(&answer->payload, payload, header->length))
			return -ENOMEM;
		return fields_check(payload, header->length) ? -EBADMSG : 1;
	default:
		return -EPROTO;
	}
}

/* All whole frames that have arrived. 1 after the final one, 0, or -errno. */
static int take_frames(struct executor_client *client, const struct exec_request *request,
		       struct executor_answer *answer)
{
	size_t used = 0;
	int got = 0;

	while (got == 0) {
		struct buffer rest = { .data = client->received.data + used,
				       .length = client->received.length - used };
		struct frame_header header;
		const uint8_t *payload;

		got = frame_parse(&rest, FRAME_FINAL_MAX, &header, &payload);
		if (got <= 0)
			break;
		got = take_frame(client, request, &header, payload, answer);
		used += FRAME_HEADER_BYTES + header.length;
	}
	buffer_consume(&client->received, used);
	return got;
}

static int send_request(struct executor_client *client, const struct exec_request *request)
{
	int failed = exec_request_encode(request, ++client->number, &client->sending);

	if (!failed)
		failed = ensure_connection(client);
	if (!failed)
		failed = frame_write_all(client->fd, client->sending.data, client->sending.length);
	if (client->sending.capacity > KEPT_BYTES)
		buffer_reset(&client->sending);
	return failed;
}

/* 0 when bytes have come. Who wants events is told when none come. */
static int wait_with_events(const struct executor_client *client, const struct exec_events *events,
			    const struct executor_wait *wait, bool begun)
{
	for (;;) {
		int64_t idle_ms = now_ms() + events->idle_ms;
		bool last = !begun && client->deadline_ms < idle_ms;
		int done = wait_for_bytes(client, wait->hangup_fd,
					  last ? client->deadline_ms : idle_ms);

		if (done != -ETIMEDOUT || last)
			return done;
		done = events->idle(events->context);
		if (done)
			return done;
	}
}

static int converse(struct executor_client *client, const struct exec_request *request,
		    const struct executor_wait *wait, struct executor_answer *answer)
{
	const struct exec_events *events = request->events;
	int done = send_request(client, request);

	client->deadline_ms = now_ms() + (int64_t)wait->most_ms;

	while (done == 0) {
		done = events ? wait_with_events(client, events, wait, answer->begun)
			      : wait_for_bytes(client, wait->hangup_fd, client->deadline_ms);
		if (!done)
			done = receive(client);
		if (!done)
			done = take_frames(client, request, answer);
		if (!done && events)
			done = events->pause(events->context);
	}
	return done;
}

int executor_client_call(struct executor_client *client, const struct exec_request *request,
			 const struct executor_wait *wait, struct executor_answer *ret_answer)
{
	struct executor_answer answer = EXECUTOR_ANSWER_INIT;
	int done;

	answer.out.limit = OUTPUT_MAX;
	answer.err.limit = OUTPUT_MAX;
	answer.displays.limit = OUTPUT_MAX;
	done = converse(client, request, wait, &answer);
	if (client->received.capacity > KEPT_BYTES && client->received.length == 0)
		buffer_reset(&client->received);
	if (done == 1) {
		*ret_answer = answer;
		return 0;
	}
	/* Hanging up is how a request is given up: the executor then ends the run. */
	disconnect(client);
	executor_answer_free(&answer);
	return done;
}
