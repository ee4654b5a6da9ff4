#define _GNU_SOURCE
#include "zygote/init.h"

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

#include "common/mailbox.h"
#include "common/message.h"
#include "common/owned.h"
#include "common/protocol.h"
#include "common/spawn.h"
#include "zygote/child_enter.h"
#include "zygote/python/python.h"

enum { EXIT_SETUP = 125, WATCHED_MAX = 64 };

struct init {
	int socket;
	int children; /* signalfd */
	struct mailbox *mailbox;
	sigset_t signals; /* as the zygote had them */
	pid_t watched[WATCHED_MAX];
};

static _Noreturn void fail(const struct init *init, const char *step, int error)
{
	struct init_event event = { .kind = EVENT_FAILED, .pid = getpid(), .error = -error };

	strncpy(event.step, step, sizeof event.step - 1);
	(void)packet_send(init->socket, &event, sizeof event, NULL, 0);
	_exit(EXIT_SETUP);
}

static void tell(const struct init *init, enum init_event_kind kind, pid_t pid, int status)
{
	struct init_event event = { .kind = kind, .pid = pid, .status = status };

	if (packet_send(init->socket, &event, sizeof event, NULL, 0))
		_exit(0);
}

/* One that is dead and reaped already, as an orphan, is told of at once. */
static void watch(struct init *init, pid_t pid)
{
	if (kill(pid, 0) && errno == ESRCH) {
		tell(init, EVENT_DIED, pid, SIGKILL);
		return;
	}
	for (size_t i = 0; i < WATCHED_MAX; i++) {
		if (!init->watched[i]) {
			init->watched[i] = pid;
			return;
		}
	}
	fail(init, "watch so many processes", -ENOSPC);
}

static bool unwatch(struct init *init, pid_t pid)
{
	for (size_t i = 0; i < WATCHED_MAX; i++) {
		if (init->watched[i] == pid) {
			init->watched[i] = 0;
			return true;
		}
	}
	return false;
}

/* -- set-up, in order ------------------------------------------------------ */

static void join_cgroup(const struct init *init, int fds[PACKET_FDS_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (write(fds[i], "0", 1) != 1)
			fail(init, "move to its cgroup", -errno);
		close(fds[i]);
	}
}

static int take_ids(void)
{
	if (setresgid(SANDBOX_INIT_UID, SANDBOX_INIT_UID, SANDBOX_INIT_UID))
		return -errno;
	return setresuid(SANDBOX_INIT_UID, SANDBOX_INIT_UID, SANDBOX_INIT_UID) ? -errno : 0;
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

	int error = child_empty_bounding_set();

	caps[0].permitted = 1u << CAP_SETUID | 1u << CAP_SETGID;
	caps[0].effective = caps[0].permitted;
	if (error)
		return error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &header, caps) ? -errno : 0;
}

static void finish_sandbox(const struct init *init, const int fds[PACKET_FDS_MAX])
{
	int error = take_ids();

	if (error)
		fail(init, "take the init's ids", error);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		fail(init, "become undumpable", -errno);
	/* now, not at spawn: we are in our own cgroup */
	if (unshare(CLONE_NEWCGROUP))
		fail(init, "unshare the cgroup namespace", -errno);
	if (sethostname("sandbox", strlen("sandbox")) || setdomainname("", 0))
		fail(init, "set the host name", -errno);
	error = attach_mounts(fds);
	if (error)
		fail(init, "attach the sandbox's mounts", error);
	error = keep_few_capabilities();
	if (error)
		fail(init, "drop the init's capabilities", error);
}

/* -- children -------------------------------------------------------------- */

static void forget_signals(const struct init *init)
{
	close(init->children);
	(void)sigprocmask(SIG_SETMASK, &init->signals, NULL);
}

static void start_interpreter(struct init *init, const struct init_request *request)
{
	python_before_fork();
	pid_t pid = fork();

	if (pid < 0)
		fail(init, "fork the interpreter", -errno);
	if (pid == 0) {
		python_after_fork_child();
		forget_signals(init);
		interpreter_main(init->socket, init->mailbox, request->uid, &request->limits);
	}
	python_after_fork_parent();
	watch(init, pid);
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

static _Noreturn void become_command(const struct init *init, const int fds[PACKET_FDS_MAX],
				     const struct init_request *request)
{
	const struct init_limits *limits = &request->limits;
	const char *step = "";
	char *command = read_command(fds[3]);
	struct child_plan plan = { .keep_fd = -1,
				   .uid = request->uid,
				   .processes = limits->processes };

	const struct rlimit files = { limits->open_files, limits->open_files };
	const struct rlimit bytes = { limits->file_bytes, limits->file_bytes };

	forget_signals(init);
	if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_FSIZE, &bytes))
		_exit(EXIT_SETUP);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(EXIT_SETUP);
	if (!command || child_enter(&plan, &step))
		_exit(EXIT_SETUP);
	(void)signal(SIGPIPE, SIG_DFL); /* python ignores it; shells expect it */
	char *const arguments[] = { "sh", "-c", command, NULL };
	execve("/bin/sh", arguments, environ); /* the zygote's, as for programs */
	_exit(127);
}

static void start_command(struct init *init, const int fds[PACKET_FDS_MAX],
			  const struct init_request *request)
{
	pid_t pid = fork();

	if (pid == 0)
		become_command(init, fds, request);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		close(fds[i]);
	if (pid > 0)
		watch(init, pid);
	tell(init, EVENT_STARTED, pid, 0);
}

/* Orphans come here in any number; only the watched are news. */
static void reap(struct init *init)
{
	struct signalfd_siginfo drained;
	int status;
	pid_t pid;

	(void)!read(init->children, &drained, sizeof drained);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (unwatch(init, pid))
			tell(init, EVENT_DIED, pid, status);
}

/* Whoever has children dies with them only: what the last program left would meet the
 * next one. The executor has counted before; this is the same by another way. */
static void be_alone(struct init *init)
{
	reap(init);
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		fail(init, "be alone for the next program", -EBUSY);
}

static void obey(struct init *init)
{
	struct init_request request;
	int fds[PACKET_FDS_MAX];
	size_t count = 0;

	if (packet_receive(init->socket, &request, sizeof request, fds, &count) != 1)
		_exit(0);
	switch (request.op) {
	case INIT_JOIN:
		join_cgroup(init, fds, count);
		break;
	case INIT_ENTER:
		if (count != PACKET_FDS_MAX)
			fail(init, "receive the mounts", -EBADMSG);
		finish_sandbox(init, fds);
		start_interpreter(init, &request);
		break;
	case INIT_START_INTERPRETER:
		start_interpreter(init, &request);
		break;
	case INIT_RENEW_INTERPRETER:
		be_alone(init);
		start_interpreter(init, &request);
		break;
	case INIT_START_COMMAND:
		if (count != PACKET_FDS_MAX)
			fail(init, "receive the command", -EBADMSG);
		start_command(init, fds, &request);
		break;
	case INIT_WATCH:
		watch(init, request.pid);
		break;
	default:
		fail(init, "understand the executor", -EPROTO);
	}
}

static void offer_procfs(const struct init *init)
{
	struct init_event event = { .kind = EVENT_PROCFS, .pid = getpid() };
	AUTO_FD context = fsopen("proc", FSOPEN_CLOEXEC);

	if (context < 0)
		fail(init, "open a procfs", -errno);
	if (packet_send(init->socket, &event, sizeof event, &context, 1))
		_exit(0);
}

static void prepare(struct init *init, int mailbox_fd)
{
	sigset_t all;
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			fail(init, "open /dev/null", -errno);
	if (null > 2)
		close(null);
	init->mailbox =
		mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, mailbox_fd, 0);
	if (init->mailbox == MAP_FAILED)
		fail(init, "map the mailbox", -errno);
	close(mailbox_fd);
	/* Signals wait, and only SIGCHLD is looked at: nothing in the sandbox may
	 * signal us, and the executor has no need to, but to kill. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &init->signals);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	init->children = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (init->children < 0)
		fail(init, "watch for children", -errno);
}

_Noreturn void init_main(int socket_fd, int mailbox_fd)
{
	struct init init = { .socket = socket_fd };
	enum { FROM_EXECUTOR, FROM_CHILDREN };

	prepare(&init, mailbox_fd);
	offer_procfs(&init);
	for (;;) {
		struct pollfd ready[] = {
			[FROM_EXECUTOR] = { .fd = init.socket, .events = POLLIN },
			[FROM_CHILDREN] = { .fd = init.children, .events = POLLIN },
		};

		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			_exit(0);
		/* First what to watch: a fork may be told to run, and be dead, before that is read. */
		if (ready[FROM_EXECUTOR].revents)
			obey(&init);
		else if (ready[FROM_CHILDREN].revents)
			reap(&init);
	}
}
