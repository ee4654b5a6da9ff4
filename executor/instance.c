#define _GNU_SOURCE
#include "executor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/owned.h"

/* What the holder has written; it may be about to. */
static long holder(int fd)
{
	char text[24] = "";
	ssize_t got = pread(fd, text, sizeof text - 1, 0);

	return got > 0 ? strtol(text, NULL, 10) : 0;
}

int instance_lock(const char *socket, const char *role, char message[INSTANCE_MESSAGE_BYTES])
{
	char path[PATH_MAX];

	/* never removed: who waits for a removed one would hold nothing */
	snprintf(path, sizeof path, "%s%s.lock", socket, role);
	AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB)) {
		if (!ftruncate(fd, 0) && dprintf(fd, "%ld\n", (long)getpid()) > 0) {
			(void)take_fd(&fd); /* kept open until the process ends */
			return 0;
		}
	}
	int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (error == -EBUSY)
		snprintf(message, INSTANCE_MESSAGE_BYTES,
			 "process %ld holds %.200s already: only one executor can use a socket, "
			 "its cgroup and its uids",
			 holder(fd), path);
	else
		snprintf(message, INSTANCE_MESSAGE_BYTES, "cannot lock %.200s: %s", path,
			 strerror(-error));
	return error;
}
