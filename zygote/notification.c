#define _GNU_SOURCE
#include "zygote/notification.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which wait it is, so that the executor knows one that begins again. */
static unsigned long serial;

static long notify(unsigned note, unsigned flags)
{
	long answer = syscall(SYS_remap_file_pages, (long)note, (long)flags, (long)serial);

	return answer < 0 ? -errno : answer;
}

/* Signals wait: each would end the call and begin it anew, and an answer that is under
 * way just then be lost. The kernel's own way to that (a wait that only a fatal signal
 * ends) would count each process that waits here as load. SIGSTOP and the machine's sleep
 * begin it anew all the same, and the executor knows that by the serial number. */
long notification_send(unsigned note, unsigned flags)
{
	sigset_t all, before;
	long answer;

	serial++;
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	do {
		answer = notify(note, flags);
	} while (answer == -EINTR);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return answer;
}

long notification_ask(unsigned note, unsigned flags, bool again)
{
	if (!again)
		serial++;
	return notify(note, flags);
}
