#define _GNU_SOURCE
#include "packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int packet_send(int socket_fd, const void *packet, size_t size, const int *fds, size_t count)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(size_t)packet, .iov_len = size };
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
	return sent < 0 ? -errno : 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

int packet_receive(int socket_fd, void *packet, size_t size, int fds[PACKET_FDS_MAX],
		   size_t *ret_count)
{
	union control control;
	struct iovec part = { .iov_base = packet, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof control.space };
	size_t count = 0;
	ssize_t got;

	do {
		got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t more = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + count, CMSG_DATA(c), more * sizeof(int));
		count += more;
	}
	if (got == 0 && count == 0)
		return 0;
	if ((size_t)got != size || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_all(fds, count);
		return -EBADMSG;
	}
	*ret_count = count;
	return 1;
}
