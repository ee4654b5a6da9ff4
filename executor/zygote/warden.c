#define _GNU_SOURCE
#include "warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "birth.h"
#include "child_enter.h"
#include "interpreter.h"
#include "mailbox.h"
#include "owned.h"
#include "packet.h"
#include "protocol.h"
#include "python.h"
#include "scores.h"

enum { EXIT_SETUP = 125, WATCHED_MAX = 64 };

struct warden {
	int socket;
	int children; /* signalfd */
	struct mailbox *mailbox;
	sigset_t signals; /* as the zygote had them */
	pid_t watched[WATCHED_MAX];
};

static _Noreturn void fail(const struct warden *warden, const char *step, int error)
{
	struct warden_event event = { .kind = EVENT_FAILED, .pid = getpid(), .error = -error };

	strncpy(event.step, step, sizeof event.step - 1);
	(void)packet_send(warden->socket, &event, sizeof event, NULL, 0);
	_exit(EXIT_SETUP);
}

static void tell(const struct warden *warden, enum warden_event_kind kind, pid_t pid, int status)
{
	struct warden_event event = { .kind = kind, .pid = pid, .status = status };

	if (packet_send(warden->socket, &event, sizeof event, NULL, 0))
		_exit(0);
}

static void watch(struct warden *warden, pid_t pid)
{
	for (size_t i = 0; i < WATCHED_MAX; i++) {
		if (!warden->watched[i]) {
			warden->watched[i] = pid;
			return;
		}
	}
}

static bool unwatch(struct warden *warden, pid_t pid)
{
	for (size_t i = 0; i < WATCHED_MAX; i++) {
		if (warden->watched[i] == pid) {
			warden->watched[i] = 0;
			return true;
		}
	}
	return false;
}

/* -- set-up, in order ------------------------------------------------------ */

static int take_ids(void)
{
	if (setresgid(SANDBOX_WARDEN_UID, SANDBOX_WARDEN_UID, SANDBOX_WARDEN_UID))
		return -errno;
	return setresuid(SANDBOX_WARDEN_UID, SANDBOX_WARDEN_UID, SANDBOX_WARDEN_UID) ? -errno : 0;
}

static int attach_mounts(const int fds[PACKET_FDS_MAX])
{
	static const char *const places[PACKET_FDS_MAX] = { "/proc", "/workspace", "/tmp",
							    "/dev/shm" };

	for (size_t i = 0; i < PACKET_FDS_MAX; i++) {
		if (syscall(SYS_move_mount, fds[i], "", AT_FDCWD, places[i],
			    MOVE_MOUNT_F_EMPTY_PATH))
			return -errno;
		close(fds[i]);
	}
	return 0;
}

/* What starting interpreters and commands takes, and nothing else. */
static int keep_few_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	caps[0].permitted = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETPCAP;
	caps[0].effective = caps[0].permitted;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &header, caps) ? -errno : 0;
}

static void finish_sandbox(const struct warden *warden, const int fds[PACKET_FDS_MAX])
{
	int error = take_ids();

	if (error)
		fail(warden, "take the warden's ids", error);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		fail(warden, "become undumpable", -errno);
	/* now, not at birth: the executor has moved us to our own cgroup */
	if (unshare(CLONE_NEWCGROUP))
		fail(warden, "unshare the cgroup namespace", -errno);
	if (sethostname("sandbox", strlen("sandbox")) || setdomainname("", 0))
		fail(warden, "set the host name", -errno);
	error = attach_mounts(fds);
	if (error)
		fail(warden, "attach the sandbox's mounts", error);
	error = keep_few_capabilities();
	if (error)
		fail(warden, "drop the warden's capabilities", error);
}

/* -- children -------------------------------------------------------------- */

static void forget_signals(const struct warden *warden)
{
	close(warden->children);
	(void)sigprocmask(SIG_SETMASK, &warden->signals, NULL);
}

static void start_interpreter(struct warden *warden, const struct warden_limits *limits)
{
	python_before_fork();
	pid_t pid = fork();

	if (pid < 0)
		fail(warden, "fork the interpreter", -errno);
	if (pid == 0) {
		python_after_fork_child();
		forget_signals(warden);
		interpreter_main(warden->socket, warden->mailbox, limits);
	}
	python_after_fork_parent();
	watch(warden, pid);
}

static char *read_command(int fd)
{
	struct stat info;

	if (fstat(fd, &info) || info.st_size < 0 || info.st_size > COMMAND_BYTES_MAX)
		return NULL;
	char *text = malloc((size_t)info.st_size + 1);
	if (!text || pread(fd, text, (size_t)info.st_size, 0) != info.st_size)
		return NULL;
	text[info.st_size] = '\0';
	return text;
}

static _Noreturn void become_command(const struct warden *warden, const int fds[PACKET_FDS_MAX],
				     const struct warden_limits *limits)
{
	static char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/workspace",
					     "LANG=C.UTF-8", "TMPDIR=/tmp", NULL };
	const char *step = "";
	char *command = read_command(fds[3]);
	struct child_plan plan = { .keep_fd = -1,
				   .oom_score_adj = OOM_SCORE_PROGRAM,
				   .processes = limits->processes };

	const struct rlimit files = { limits->open_files, limits->open_files };
	const struct rlimit bytes = { limits->file_bytes, limits->file_bytes };

	forget_signals(warden);
	if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_FSIZE, &bytes))
		_exit(EXIT_SETUP);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(EXIT_SETUP);
	if (!command || child_enter(&plan, &step))
		_exit(EXIT_SETUP);
	(void)signal(SIGPIPE, SIG_DFL); /* python ignores it; shells expect it */
	char *const arguments[] = { "sh", "-c", command, NULL };
	execve("/bin/sh", arguments, environment);
	_exit(127);
}

static void start_command(struct warden *warden, const int fds[PACKET_FDS_MAX],
			  const struct warden_limits *limits)
{
	pid_t pid = fork();

	if (pid == 0)
		become_command(warden, fds, limits);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		close(fds[i]);
	if (pid > 0)
		watch(warden, pid);
	tell(warden, EVENT_STARTED, pid, 0);
}

/* Orphans come here in any number; only the watched are news. */
static void reap(struct warden *warden)
{
	struct signalfd_siginfo drained;
	int status;
	pid_t pid;

	(void)!read(warden->children, &drained, sizeof drained);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (unwatch(warden, pid))
			tell(warden, EVENT_DIED, pid, status);
}

static void obey(struct warden *warden)
{
	struct warden_request request;
	int fds[PACKET_FDS_MAX];
	size_t count = 0;

	if (packet_receive(warden->socket, &request, sizeof request, fds, &count) != 1)
		_exit(0);
	switch (request.op) {
	case WARDEN_ENTER:
		if (count != PACKET_FDS_MAX)
			fail(warden, "receive the mounts", -EBADMSG);
		finish_sandbox(warden, fds);
		start_interpreter(warden, &request.limits);
		break;
	case WARDEN_START_INTERPRETER:
		start_interpreter(warden, &request.limits);
		break;
	case WARDEN_START_COMMAND:
		if (count != PACKET_FDS_MAX)
			fail(warden, "receive the command", -EBADMSG);
		start_command(warden, fds, &request.limits);
		break;
	case WARDEN_WATCH:
		watch(warden, request.pid);
		break;
	default:
		fail(warden, "understand the executor", -EPROTO);
	}
}

static void offer_procfs(const struct warden *warden)
{
	struct warden_event event = { .kind = EVENT_PROCFS, .pid = getpid() };
	AUTO_FD context = fsopen("proc", FSOPEN_CLOEXEC);

	if (context < 0)
		fail(warden, "open a procfs", -errno);
	if (packet_send(warden->socket, &event, sizeof event, &context, 1))
		_exit(0);
}

static void prepare(struct warden *warden, int mailbox_fd)
{
	sigset_t all;
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			fail(warden, "open /dev/null", -errno);
	if (null > 2)
		close(null);
	warden->mailbox =
		mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, mailbox_fd, 0);
	if (warden->mailbox == MAP_FAILED)
		fail(warden, "map the mailbox", -errno);
	close(mailbox_fd);
	/* Signals wait, and only SIGCHLD is looked at: nothing in the sandbox may
	 * signal us, and the executor has no need to, but to kill. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &warden->signals);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	warden->children = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (warden->children < 0)
		fail(warden, "watch for children", -errno);
}

_Noreturn void warden_main(int socket_fd, int mailbox_fd)
{
	struct warden warden = { .socket = socket_fd };
	enum { FROM_EXECUTOR, FROM_CHILDREN };

	prepare(&warden, mailbox_fd);
	offer_procfs(&warden);
	for (;;) {
		struct pollfd ready[] = {
			[FROM_EXECUTOR] = { .fd = warden.socket, .events = POLLIN },
			[FROM_CHILDREN] = { .fd = warden.children, .events = POLLIN },
		};

		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			_exit(0);
		if (ready[FROM_CHILDREN].revents)
			reap(&warden);
		if (ready[FROM_EXECUTOR].revents)
			obey(&warden);
	}
}
