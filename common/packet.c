#include "common/packet.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

int packet_send(int socket_fd, const void *packet, size_t size, const int *fds, size_t count)
{
	long sent = rights_send(socket_fd, packet, size, fds, count);

	return sent < 0 ? (int)sent : 0;
}

int packet_receive(int socket_fd, void *packet, size_t size, int fds[PACKET_FDS_MAX],
		   size_t *ret_count)
{
	size_t count = 0;
	bool cut = false;
	long got = rights_receive(socket_fd, packet, size, fds, PACKET_FDS_MAX, &count, &cut);

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
