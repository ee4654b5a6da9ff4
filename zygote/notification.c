#define _GNU_SOURCE
#include "zygote/notification.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which wait it is, so that the executor knows one that begins again. */
static unsigned long serial;

static long notify(unsigned note, unsigned flags)
{
	long answer = syscall(SYS_remap_file_pages, (long)note, (long)flags, (long)serial);

	return answer < 0 ? -errno : answer;
}

long notification_send(unsigned note, unsigned flags)
{
	long answer;

	serial++;
	do {
		answer = notify(note, flags);
	} while (answer == -EINTR);
	return answer;
}

long notification_ask(unsigned note, unsigned flags, bool again)
{
	if (!again)
		serial++;
	return notify(note, flags);
}
