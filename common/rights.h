/* rights.h - messages with descriptors on UNIX sockets, of any type. */
#ifndef VIVARIUM_RIGHTS_H
#define VIVARIUM_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

enum { RIGHTS_MAX = 4 };

/* One sendmsg(2) of these bytes with `count` descriptors, no signal if nobody
 * reads. The bytes that were taken, or -errno (-EINVAL: too many descriptors). */
long rights_send(int socket_fd, const void *bytes, size_t length, const int *fds, size_t count);

/* One recvmsg(2). The bytes received, 0 at end of file, or -errno. At most `most`
 * descriptors (no more than RIGHTS_MAX) go to fds[], close-on-exec, and their
 * number to *ret_count; what comes beyond them is closed. *ret_cut: bytes or
 * descriptors did not fit. */
long rights_receive(int socket_fd, void *bytes, size_t capacity, int *fds, size_t most,
		    size_t *ret_count, bool *ret_cut);

#endif
