/* message.h - what crosses UNIX sockets: frames on stream sockets, packets on others,
 * and descriptors with either.
 *
 * A frame's header, 12 bytes, little-endian: u32 payload length, u8 version, u8 type,
 * u16 zero, u32 request number. Then the payload. The length is checked against
 * the caller's limit before a byte is allocated; end of file inside a frame is
 * an error. Descriptors (SCM_RIGHTS) may accompany a frame's first byte. */
#ifndef VIVARIUM_MESSAGE_H
#define VIVARIUM_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum { FRAME_HEADER_BYTES = 12 };

struct frame_header {
	uint32_t length;
	uint8_t version;
	uint8_t type;
	uint32_t number; /* chosen by the asker, repeated in every answer frame */
};

void frame_encode_header(const struct frame_header *header, uint8_t ret_bytes[FRAME_HEADER_BYTES]);

/* 0, -EPROTO for another version or a non-zero reserved part, -EMSGSIZE if the
 * length is above `limit` bytes. */
int frame_decode_header(const uint8_t bytes[FRAME_HEADER_BYTES], size_t limit,
			struct frame_header *ret_header);

/* Take one whole frame from the front of `input`. 1 with *ret_header set and
 * *ret_payload pointing into `input` (the caller then consumes
 * FRAME_HEADER_BYTES + length), 0 if more bytes are needed, or -errno as above. */
int frame_parse(const struct buffer *input, size_t limit, struct frame_header *ret_header,
		const uint8_t **ret_payload);

/* Append a whole frame to `output`. 0 or -errno. */
int frame_append(struct buffer *output, uint8_t type, uint32_t number, const void *payload,
		 size_t length);

/* Blocking: write all bytes; SIGPIPE is never raised. 0 or -errno (-ETIMEDOUT
 * where the socket has SO_SNDTIMEO). */
int frame_write_all(int fd, const void *bytes, size_t length);

/* Send `length` bytes with one descriptor; blocking. 0 or -errno. */
int frame_send_with_fd(int socket_fd, const void *bytes, size_t length, int fd);

/* Receive at most `capacity` bytes and at most one descriptor (close-on-exec);
 * *ret_fd is -1 without one. Bytes read, 0 at end of file, or -errno. Further
 * descriptors are closed. */
long frame_receive_with_fd(int socket_fd, void *bytes, size_t capacity, int *ret_fd);

/* ---- packets: those of spawn.h, of a fixed size ---- */

enum { PACKET_FDS_MAX = 4 };

/* Send one packet with `count` descriptors. 0 or -errno. */
int packet_send(int socket_fd, const void *packet, size_t size, const int *fds, size_t count);

/* Receive one packet of exactly `size` bytes with up to PACKET_FDS_MAX
 * descriptors (close-on-exec), whose number goes to *ret_count. 1, 0 at end of
 * file, or -errno (-EBADMSG: another size). */
int packet_receive(int socket_fd, void *packet, size_t size, int fds[PACKET_FDS_MAX],
		   size_t *ret_count);

#endif
