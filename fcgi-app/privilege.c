#define _GNU_SOURCE
#include "fcgi-app/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuse(int failed, const char *what, char error[SETTINGS_ERROR_BYTES])
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
		return refuse(-errno, "setgroups", error);
	if (setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid))
		return refuse(-errno, "setresgid", error);
	if (setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
		return refuse(-errno, "setresuid", error);
	return 0;
}

/* Trying is the only proof. */
static int verify(char error[SETTINGS_ERROR_BYTES])
{
	struct __user_cap_data_struct data[2];
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) || !real || !effective || !saved)
		return refuse(-EPERM, "still root", error);
	if (setuid(0) == 0 || setgid(0) == 0)
		return refuse(-EPERM, "root could be regained", error);
	if (capabilities_get(data) || data[0].effective || data[0].permitted ||
	    data[0].inheritable || data[1].effective || data[1].permitted || data[1].inheritable)
		return refuse(-EPERM, "capabilities are left", error);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return refuse(-EPERM, "no_new_privs is not set", error);
	return 0;
}

int privilege_drop(const char *user, char error[SETTINGS_ERROR_BYTES])
{
	int failed = bounding_set_clear();

	if (failed)
		return refuse(failed, "bounding set", error);
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
		return refuse(failed, "capabilities", error);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse(-errno, "no_new_privs", error);
	return verify(error);
}
