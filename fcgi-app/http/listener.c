#define _GNU_SOURCE
#include "fcgi-app/http/listener.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/owned.h"

enum { BACKLOG = 511 };

static int fail(const char *path, const char *what, char error[SETTINGS_ERROR_BYTES])
{
	int failed = errno ? -errno : -EINVAL;

	snprintf(error, SETTINGS_ERROR_BYTES, "%.120s: %s: %s", path, what, strerror(-failed));
	return failed;
}

static int refuse(int failed, const char *path, const char *why, char error[SETTINGS_ERROR_BYTES])
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
		return refuse(-EEXIST, address->sun_path, "exists and is no socket", error);
	if (is_alive(address))
		return refuse(-EADDRINUSE, address->sun_path, "another process listens there",
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
		return refuse(-EINVAL, path, "socket_mode must be octal, such as 0660", error);
	if (*group_name) {
		const struct group *group = getgrnam(group_name);

		if (!group)
			return refuse(-EINVAL, path, "socket_group is not a known group", error);
		if (chown(path, (uid_t)-1, group->gr_gid))
			return fail(path, "cannot be given to its group", error);
	}
	if (chmod(path, (mode_t)mode))
		return fail(path, "cannot be given its mode", error);
	return 0;
}

int listener_open(const char *path, const char *mode, const char *group,
		  char error[SETTINGS_ERROR_BYTES])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_FD fd = -1;
	int failed;

	if (strlen(path) >= sizeof address.sun_path)
		return refuse(-ENAMETOOLONG, path, "is too long for a socket", error);
	strcpy(address.sun_path, path);
	failed = remove_stale(&address, error);
	if (failed)
		return failed;

	/* Nobody may connect before the mode is set: umask 0777 until then. */
	mode_t before = umask(0777);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
