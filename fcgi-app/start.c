#define _GNU_SOURCE
#include "fcgi-app/start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/config.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/access.h"
#include "fcgi-app/http/gateway.h"

/* ---- the socket ----------------------------------------------------------- */

enum { BACKLOG = 511 };

static int fail(const char *path, const char *what, char error[SETTINGS_ERROR_BYTES])
{
	int failed = errno ? -errno : -EINVAL;

	snprintf(error, SETTINGS_ERROR_BYTES, "%.120s: %s: %s", path, what, strerror(-failed));
	return failed;
}

static int refuse_path(int failed, const char *path, const char *why,
		       char error[SETTINGS_ERROR_BYTES])
{
	snprintf(error, SETTINGS_ERROR_BYTES, "%.120s: %s", path, why);
	return failed;
}

/* Is somebody listening there? */
static bool is_alive(const struct sockaddr_un *address)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (const struct sockaddr *)address, sizeof *address);
}

static int remove_stale(const struct sockaddr_un *address, char error[SETTINGS_ERROR_BYTES])
{
	struct stat found;

	if (lstat(address->sun_path, &found))
		return errno == ENOENT ? 0 : fail(address->sun_path, "cannot be looked at", error);
	if (!S_ISSOCK(found.st_mode))
		return refuse_path(-EEXIST, address->sun_path, "exists and is no socket", error);
	if (is_alive(address))
		return refuse_path(-EADDRINUSE, address->sun_path, "another process listens there",
				   error);
	if (unlink(address->sun_path))
		return fail(address->sun_path, "cannot be removed", error);
	return 0;
}

static int set_access(const char *path, const char *mode_text, const char *group_name,
		      char error[SETTINGS_ERROR_BYTES])
{
	char *end;
	unsigned long mode = strtoul(mode_text, &end, 8);

	if (*end || end == mode_text || mode > 0777)
		return refuse_path(-EINVAL, path, "socket_mode must be octal, such as 0660", error);
	if (*group_name) {
		const struct group *group = getgrnam(group_name);

		if (!group)
			return refuse_path(-EINVAL, path, "socket_group is not a known group",
					   error);
		if (chown(path, (uid_t)-1, group->gr_gid))
			return fail(path, "cannot be given to its group", error);
	}
	if (chmod(path, (mode_t)mode))
		return fail(path, "cannot be given its mode", error);
	return 0;
}

/* Listen at `path` with this octal mode, and this group unless it is "". A file
 * left by a process that is gone is replaced; a living one's is not. The
 * descriptor, which does not block, or -errno with the reason in error[]. */
static int listener_open(const char *path, const char *mode, const char *group,
			 char error[SETTINGS_ERROR_BYTES])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_FD fd = -1;
	int failed;

	if (strlen(path) >= sizeof address.sun_path)
		return refuse_path(-ENAMETOOLONG, path, "is too long for a socket", error);
	strcpy(address.sun_path, path);
	failed = remove_stale(&address, error);
	if (failed)
		return failed;

	/* Nobody may connect before the mode is set: umask 0777 until then. */
	mode_t before = umask(0777);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	failed = fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address)
			 ? fail(path, "cannot be made", error)
			 : 0;
	umask(before);
	if (failed)
		return failed;
	if (listen(fd, BACKLOG))
		return fail(path, "cannot be listened at", error);
	failed = set_access(path, mode, group, error);
	return failed ? failed : take_fd(&fd);
}

/* ---- privilege ------------------------------------------------------------ */

static int refuse_drop(int failed, const char *what, char error[SETTINGS_ERROR_BYTES])
{
	snprintf(error, SETTINGS_ERROR_BYTES, "dropping privileges: %s: %s", what,
		 strerror(-failed));
	return failed;
}

/* The kernel's own calls: they concern this thread only, and it is the only one. */
static int capabilities_get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) ? -errno : 0;
}

static int capabilities_clear(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

/* What may never be gained again, not even by a set-uid program. Needs
 * CAP_SETPCAP, so it comes before the user changes. */
static int bounding_set_clear(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EPERM)
			return -errno;
	return 0;
}

static int become(const char *user, char error[SETTINGS_ERROR_BYTES])
{
	const struct passwd *entry = getpwnam(user);

	if (!entry || entry->pw_uid == 0) {
		snprintf(error, SETTINGS_ERROR_BYTES,
			 "user must be an account that exists and is not root, not \"%.60s\"",
			 user);
		return -EINVAL;
	}
	if (setgroups(0, NULL))
		return refuse_drop(-errno, "setgroups", error);
	if (setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid))
		return refuse_drop(-errno, "setresgid", error);
	if (setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
		return refuse_drop(-errno, "setresuid", error);
	return 0;
}

/* Trying is the only proof. */
static int verify(char error[SETTINGS_ERROR_BYTES])
{
	struct __user_cap_data_struct data[2];
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) || !real || !effective || !saved)
		return refuse_drop(-EPERM, "still root", error);
	if (setuid(0) == 0 || setgid(0) == 0)
		return refuse_drop(-EPERM, "root could be regained", error);
	if (capabilities_get(data) || data[0].effective || data[0].permitted ||
	    data[0].inheritable || data[1].effective || data[1].permitted || data[1].inheritable)
		return refuse_drop(-EPERM, "capabilities are left", error);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return refuse_drop(-EPERM, "no_new_privs is not set", error);
	return 0;
}

/* Become `user` (when started as root; "" otherwise), with no capability in any
 * set, no supplementary groups and no_new_privs; then try to get it back, and
 * fail if that works. Before any thread. 0, or -errno with the reason in
 * error[]: the process must then end. */
static int privilege_drop(const char *user, char error[SETTINGS_ERROR_BYTES])
{
	int failed = bounding_set_clear();

	if (failed)
		return refuse_drop(failed, "bounding set", error);
	if (geteuid() == 0 || getuid() == 0) {
		if (!*user) {
			snprintf(error, SETTINGS_ERROR_BYTES,
				 "this program does not run as root: give --user NAME");
			return -EPERM;
		}
		failed = become(user, error);
		if (failed)
			return failed;
	}
	failed = capabilities_clear();
	if (failed)
		return refuse_drop(failed, "capabilities", error);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse_drop(-errno, "no_new_privs", error);
	return verify(error);
}

/* ---- descriptors ------------------------------------------------------------ */

static void descriptors_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* with less, less is served at once */
}

/* ---- memory ------------------------------------------------------------------ */

enum { LARGE_BYTES = 128 << 10, ARENAS = 4 };

/* Left to itself, malloc takes a large block that was freed as a reason to have the next
 * ones in its arenas, where a small block above keeps them. */
static void memory_give_back(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
	mallopt(M_ARENA_MAX, ARENAS);
}

/* ---- serving ------------------------------------------------------------------------ */

int start_failed(const char *reason)
{
	fprintf(stderr, "fcgi-app: %s\n", reason);
	return 1;
}

int start_check(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	struct executor_client *client;
	int failed = executor_client_new(config->executor, &client);

	if (failed) {
		snprintf(error, SETTINGS_ERROR_BYTES,
			 "executor must be unix:/path of a socket, not \"%.100s\"",
			 config->executor);
		return failed;
	}
	executor_client_free(client);
	if (!access_addresses_valid(config->trusted_proxies)) {
		snprintf(error, SETTINGS_ERROR_BYTES,
			 "trusted_proxies must be addresses and networks such as 10.0.0.0/8, not "
			 "\"%.100s\"",
			 config->trusted_proxies);
		return -EINVAL;
	}
	if (config->quick_threads >= config->threads) {
		snprintf(error, SETTINGS_ERROR_BYTES, "quick_threads must be below threads");
		return -EINVAL;
	}
	if (config->upload_bytes > config->spool_bytes) {
		snprintf(error, SETTINGS_ERROR_BYTES, "upload_bytes must not be above spool_bytes");
		return -EINVAL;
	}
	if (config->code_bytes > config->body_bytes) {
		snprintf(error, SETTINGS_ERROR_BYTES, "code_bytes must not be above body_bytes");
		return -EINVAL;
	}
	return 0;
}

/* Before the first thread: what the main thread waits for goes to no other. */
static void block_signals(void)
{
	sigset_t waited;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &waited, NULL);
}

static void wait_for_stop(void)
{
	sigset_t waited;
	int received;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigwait(&waited, &received);
	log_info("event=stopping signal=%d", received);
}

/* Left by a process that was killed while it saved. */
static void clean_user_files(const struct config *config)
{
	AUTO_FD fd = open(config->user_files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		files_clean(fd);
	else
		log_warn("event=no_user_files path=%s error=\"%s\"", config->user_files,
			 strerror(errno));
}

int start_fastcgi(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	struct workers *workers;
	int listen_fd, failed;

	listen_fd = listener_open(config->socket, config->socket_mode, config->socket_group, error);
	if (listen_fd < 0)
		return start_failed(error);
	if (privilege_drop(config->user, error))
		return start_failed(error);
	clean_user_files(config);
	descriptors_allow();
	memory_give_back();
	block_signals();
	failed = workers_start(config, listen_fd, &workers);
	if (failed)
		return start_failed(strerror(-failed));
	log_info("event=serving version=%s socket=%s executor=%s threads=%llu", VIVARIUM_VERSION,
		 config->socket, config->executor, (unsigned long long)config->threads);

	wait_for_stop();
	/* Our successor may listen at the same path at once. */
	unlink(config->socket);
	if (!workers_stop(workers)) {
		log_info("event=stopped complete=no");
		_exit(0); /* threads still use what exit() would tear down */
	}
	close(listen_fd);
	log_info("event=stopped complete=yes");
	return 0;
}

int start_cgi(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	int failed;

	if (!getenv("REQUEST_METHOD"))
		return start_failed(
			"give --socket PATH to listen at, or run as a CGI program (try --help)");
	if (privilege_drop(config->user, error))
		return start_failed(error);
	signal(SIGPIPE, SIG_IGN);
	failed = gateway_cgi_serve(config);
	return failed ? start_failed(strerror(-failed)) : 0;
}
