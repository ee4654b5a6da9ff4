/* packet.h - the packets of spawn.h: fixed size, with descriptors. */
#ifndef VIVARIUM_PACKET_H
#define VIVARIUM_PACKET_H

#include <stddef.h>

#include "common/rights.h"

enum { PACKET_FDS_MAX = RIGHTS_MAX };

/* Send one packet with `count` descriptors. 0 or -errno. */
int packet_send(int socket_fd, const void *packet, size_t size, const int *fds, size_t count);

/* Receive one packet of exactly `size` bytes with up to PACKET_FDS_MAX
 * descriptors (close-on-exec), whose number goes to *ret_count. 1, 0 at end of
 * file, or -errno (-EBADMSG: another size). */
int packet_receive(int socket_fd, void *packet, size_t size, int fds[PACKET_FDS_MAX],
		   size_t *ret_count);

#endif
