#define _GNU_SOURCE
#include "zygote/notification.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

long notification_send(unsigned note, unsigned flags)
{
	long answer;

	do {
		answer = syscall(SYS_remap_file_pages, (long)note, (long)flags, 0L);
	} while (answer < 0 && errno == EINTR);
	return answer < 0 ? -errno : answer;
}
