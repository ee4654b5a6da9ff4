#define _GNU_SOURCE
#include "common/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/protocol.h"
#include "common/rights.h"

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
	long sent = rights_send(socket_fd, bytes, length, &fd, 1);

	if (sent < 0)
		return (int)sent;
	return frame_write_all(socket_fd, (const uint8_t *)bytes + sent, length - (size_t)sent);
}

long frame_receive_with_fd(int socket_fd, void *bytes, size_t capacity, int *ret_fd)
{
	size_t count;
	bool cut;
	int fd = -1;
	long got = rights_receive(socket_fd, bytes, capacity, &fd, 1, &count, &cut);

	if (got >= 0)
		*ret_fd = fd;
	return got;
}
