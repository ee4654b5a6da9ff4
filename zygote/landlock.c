#define _GNU_SOURCE
#include "zygote/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/owned.h"

/* The kernel's interface, from Documentation/userspace-api/landlock.rst; build
 * machines may have older headers than the kernel that runs. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* version 4 */
	uint64_t scoped;             /* version 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_ALL_V1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,     /* version 2 */
	FS_TRUNCATE = 1 << 14,  /* version 3 */
	FS_IOCTL_DEV = 1 << 15, /* version 5 */
	NET_ALL = 3,            /* bind and connect, TCP */
	SCOPE_ALL = 3,          /* abstract sockets and signals */
};

int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

static uint64_t handled_access(int version)
{
	uint64_t access = FS_ALL_V1;

	if (version >= 2)
		access |= FS_REFER;
	if (version >= 3)
		access |= FS_TRUNCATE;
	if (version >= 5)
		access |= FS_IOCTL_DEV;
	return access;
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	struct path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0))
		return -errno;
	return 0;
}

static int add_rules(int ruleset, uint64_t all)
{
	static const char *const writable[] = { "/workspace", "/tmp", "/dev/shm" };
	static const char *const sinks[] = { "/dev/null", "/dev/zero", "/dev/full" };
	const uint64_t read_only = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
	int error = allow(ruleset, "/", read_only);

	for (size_t i = 0; !error && i < sizeof writable / sizeof *writable; i++)
		error = allow(ruleset, writable[i], all);
	/* opening "for writing" truncates as a rule, also where that means nothing */
	for (size_t i = 0; !error && i < sizeof sinks / sizeof *sinks; i++)
		error = allow(ruleset, sinks[i],
			      all & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE));
	/* of all that /proc has for writing the process's own name, not its oom_score_adj */
	if (!error)
		error = allow(ruleset, "/proc/self/comm",
			      all & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE));
	return error;
}

int landlock_apply(void)
{
	int version = landlock_version();

	if (!version)
		return 0;

	struct ruleset_attr attr = { .handled_access_fs = handled_access(version) };
	size_t size = offsetof(struct ruleset_attr, handled_access_net);
	if (version >= 4) {
		attr.handled_access_net = NET_ALL;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (version >= 6) {
		attr.scoped = SCOPE_ALL;
		size = sizeof attr;
	}

	AUTO_FD ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	int error = add_rules(ruleset, attr.handled_access_fs);
	if (error)
		return error;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}
