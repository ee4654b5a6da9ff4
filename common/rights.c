#define _GNU_SOURCE
#include "common/rights.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	char space[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	struct cmsghdr align;
};

long rights_send(int socket_fd, const void *bytes, size_t length, const int *fds, size_t count)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(size_t)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (count > RIGHTS_MAX)
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

long rights_receive(int socket_fd, void *bytes, size_t capacity, int *fds, size_t most,
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
