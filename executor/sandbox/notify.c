/* The executor's side of the seccomp notification: one system call of the kernel each. */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "executor/sandbox/sandbox_parts.h"

int notify_receive(int listener, struct notification *ret_notification)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	struct seccomp_notif request;

	/* receiving blocks when the sender has died in between: ask first */
	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLIN))
		return 0;
	memset(&request, 0, sizeof request);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
		return errno == ENOENT || errno == EINTR ? 0 : -errno;
	*ret_notification = (struct notification){ .id = request.id,
						   .adds_filter = request.data.nr == SYS_prctl,
						   .pid = (pid_t)request.pid,
						   .note = request.data.args[0],
						   .flags = request.data.args[1],
						   .serial = request.data.args[2] };
	return 1;
}

int notify_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int notify_give_fd(int listener, uint64_t id, int fd, int number)
{
	struct seccomp_notif_addfd give = { .id = id,
					    .flags = SECCOMP_ADDFD_FLAG_SETFD,
					    .srcfd = (uint32_t)fd,
					    .newfd = (uint32_t)number };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give) < 0 ? -errno : 0;
}

int notify_answer(int listener, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp answer = { .id = id, .val = value };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) ? -errno : 0;
}

int notify_let(int listener, uint64_t id)
{
	struct seccomp_notif_resp answer = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) ? -errno : 0;
}

int notify_refuse(int listener, uint64_t id)
{
	struct seccomp_notif_resp answer = { .id = id, .error = -EPERM };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) ? -errno : 0;
}
