#define _GNU_SOURCE
#include "common/message.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/protocol.h"

/* ---- any message with descriptors ---- */

union control {
	char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

/* The bytes that were taken, or -errno (-EINVAL: too many descriptors). */
static long send_with_fds(int socket_fd, const void *bytes, size_t length, const int *fds,
			  size_t count)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(size_t)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (count > PACKET_FDS_MAX)
		return -EINVAL;
	if (count) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	do {
		sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* All descriptors of a message: the first `most` are kept. */
static size_t take(struct msghdr *message, int *fds, size_t most, bool *cut)
{
	size_t kept = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (kept < most) {
				fds[kept++] = fd;
			} else {
				close(fd);
				*cut = true;
			}
		}
	}
	return kept;
}

/* The bytes received, 0 at end of file, or -errno. The first `most` descriptors go to fds[],
 * close-on-exec; what comes beyond them is closed. *ret_cut: bytes or descriptors did not
 * fit. */
static long receive_with_fds(int socket_fd, void *bytes, size_t capacity, int *fds, size_t most,
			     size_t *ret_count, bool *ret_cut)
{
	union control control;
	struct iovec part = { .iov_base = bytes, .iov_len = capacity };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof control.space };
	ssize_t got;

	do {
		got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*ret_cut = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	*ret_count = take(&message, fds, most, ret_cut);
	return got;
}

/* ---- frames ---- */

void frame_encode_header(const struct frame_header *header, uint8_t ret_bytes[FRAME_HEADER_BYTES])
{
	uint32_t length = htole32(header->length);
	uint32_t number = htole32(header->number);

	memcpy(ret_bytes, &length, sizeof length);
	ret_bytes[4] = header->version;
	ret_bytes[5] = header->type;
	ret_bytes[6] = 0;
	ret_bytes[7] = 0;
	memcpy(ret_bytes + 8, &number, sizeof number);
}

int frame_decode_header(const uint8_t bytes[FRAME_HEADER_BYTES], size_t limit,
			struct frame_header *ret_header)
{
	struct frame_header header;
	uint32_t length, number;

	memcpy(&length, bytes, sizeof length);
	memcpy(&number, bytes + 8, sizeof number);
	header.length = le32toh(length);
	header.version = bytes[4];
	header.type = bytes[5];
	header.number = le32toh(number);
	if (header.version != PROTOCOL_VERSION || bytes[6] || bytes[7])
		return -EPROTO;
	if (header.length > limit)
		return -EMSGSIZE;
	*ret_header = header;
	return 0;
}

int frame_parse(const struct buffer *input, size_t limit, struct frame_header *ret_header,
		const uint8_t **ret_payload)
{
	struct frame_header header;
	int error;

	if (input->length < FRAME_HEADER_BYTES)
		return 0;
	error = frame_decode_header(input->data, limit, &header);
	if (error)
		return error;
	if (input->length - FRAME_HEADER_BYTES < header.length)
		return 0;
	*ret_header = header;
	*ret_payload = input->data + FRAME_HEADER_BYTES;
	return 1;
}

int frame_append(struct buffer *output, uint8_t type, uint32_t number, const void *payload,
		 size_t length)
{
	uint8_t bytes[FRAME_HEADER_BYTES];
	int error;

	if (length > UINT32_MAX)
		return -EMSGSIZE;
	error = buffer_reserve(output, FRAME_HEADER_BYTES + length);
	if (error)
		return error;
	frame_encode_header(&(struct frame_header){ .length = (uint32_t)length,
						    .version = PROTOCOL_VERSION,
						    .type = type,
						    .number = number },
			    bytes);
	(void)buffer_append(output, bytes, sizeof bytes); /* cannot fail: reserved */
	(void)buffer_append(output, payload, length);
	return 0;
}

int frame_write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length) {
		ssize_t wrote = send(fd, at, length, MSG_NOSIGNAL);

		if (wrote < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		}
		at += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

int frame_send_with_fd(int socket_fd, const void *bytes, size_t length, int fd)
{
	long sent = send_with_fds(socket_fd, bytes, length, &fd, 1);

	if (sent < 0)
		return (int)sent;
	return frame_write_all(socket_fd, (const uint8_t *)bytes + sent, length - (size_t)sent);
}

long frame_receive_with_fd(int socket_fd, void *bytes, size_t capacity, int *ret_fd)
{
	size_t count;
	bool cut;
	int fd = -1;
	long got = receive_with_fds(socket_fd, bytes, capacity, &fd, 1, &count, &cut);

	if (got >= 0)
		*ret_fd = fd;
	return got;
}

/* ---- packets ---- */

int packet_send(int socket_fd, const void *packet, size_t size, const int *fds, size_t count)
{
	long sent = send_with_fds(socket_fd, packet, size, fds, count);

	return sent < 0 ? (int)sent : 0;
}

int packet_receive(int socket_fd, void *packet, size_t size, int fds[PACKET_FDS_MAX],
		   size_t *ret_count)
{
	size_t count = 0;
	bool cut = false;
	long got = receive_with_fds(socket_fd, packet, size, fds, PACKET_FDS_MAX, &count, &cut);

	if (got < 0)
		return (int)got;
	if (got == 0 && count == 0)
		return 0;
	if ((size_t)got != size || cut) {
		while (count)
			close(fds[--count]);
		return -EBADMSG;
	}
	*ret_count = count;
	return 1;
}
