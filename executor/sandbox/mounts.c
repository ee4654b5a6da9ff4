#define _GNU_SOURCE
#include "executor/sandbox/mounts.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/message.h"
#include "common/owned.h"

static int set_number(int filesystem, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return fsconfig(filesystem, FSCONFIG_SET_STRING, key, text, 0) ? -errno : 0;
}

static int make_tmpfs(uint64_t bytes, uint64_t inodes)
{
	AUTO_FD context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int error;

	if (context < 0)
		return -errno;
	error = set_number(context, "size", bytes);
	if (!error)
		error = set_number(context, "nr_inodes", inodes);
	if (!error && fsconfig(context, FSCONFIG_SET_STRING, "mode", "755", 0))
		error = -errno;
	if (!error && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		error = -errno;
	if (error)
		return error;
	/* No access times: reading would leave a trace for the next judged case. */
	int fd = fsmount(context, FSMOUNT_CLOEXEC,
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	return fd < 0 ? -errno : fd;
}

enum { FOLDERS = WORKSPACE_FOLDERS };

const struct workspace_folder workspace_folders[FOLDERS] = { { "workspace", 0755 },
							     { "tmp", 01777 },
							     { "shm", 01777 } };

static int make_folder(int filesystem, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	/* chmod too: the umask is not ours to trust */
	return mkdirat(filesystem, name, mode) || fchmodat(filesystem, name, mode, 0) ||
			       fchownat(filesystem, name, uid, gid, AT_SYMLINK_NOFOLLOW)
		       ? -errno
		       : 0;
}

static int take_folders(struct workspace *made)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		made->mounts[i] = open_tree(made->filesystem, workspace_folders[i].name,
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (made->mounts[i] < 0)
			return -errno;
	}
	return 0;
}

/* Before Linux 6.15 only what is attached can be cloned. The daemon's mount
 * namespace is its own, and nobody looks at the place in the meantime. */
static int take_folders_attached(struct workspace *made)
{
	static const char place[] = "/tmp";

	if (move_mount(made->filesystem, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	int error = take_folders(made);
	if (umount2(place, MNT_DETACH) && !error)
		error = -errno;
	return error;
}

int workspace_create(uint64_t bytes, uint64_t inodes, uid_t uid, gid_t gid,
		     struct workspace *ret_workspace)
{
	struct workspace made = WORKSPACE_CLOSED;
	int error = 0;

	made.filesystem = make_tmpfs(bytes, inodes);
	if (made.filesystem < 0)
		return made.filesystem;
	for (size_t i = 0; !error && i < FOLDERS; i++)
		error = make_folder(made.filesystem, workspace_folders[i].name,
				    workspace_folders[i].mode, uid, gid);
	if (!error)
		error = take_folders(&made);
	if (error == -EINVAL)
		error = take_folders_attached(&made);
	if (!error) {
		made.folder = openat(made.filesystem, workspace_folders[0].name,
				     O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		if (made.folder < 0)
			error = -errno;
	}
	if (error) {
		workspace_close(&made);
		return error;
	}
	*ret_workspace = made;
	return 0;
}

int workspace_limit(const struct workspace *workspace, uint64_t bytes, uint64_t inodes)
{
	AUTO_FD context = fspick(workspace->filesystem, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	int error;

	if (context < 0)
		return -errno;
	error = set_number(context, "size", bytes);
	if (!error)
		error = set_number(context, "nr_inodes", inodes);
	if (!error && fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0))
		error = -errno;
	return error;
}

int workspace_measure(const struct workspace *workspace, uint64_t *ret_used, uint64_t *ret_left)
{
	struct statfs info;

	if (fstatfs(workspace->filesystem, &info))
		return -errno;
	uint64_t block = (uint64_t)info.f_bsize;
	*ret_left = info.f_bfree * block + info.f_ffree * WORKSPACE_INODE_BYTES;
	*ret_used = info.f_blocks * block + info.f_files * WORKSPACE_INODE_BYTES - *ret_left;
	return 0;
}

int workspace_full(const struct workspace *workspace)
{
	struct statfs info;

	if (fstatfs(workspace->filesystem, &info))
		return 0;
	return info.f_bavail == 0 || info.f_ffree == 0;
}

void workspace_close_mounts(struct workspace *workspace)
{
	for (size_t i = 0; i < sizeof workspace->mounts / sizeof *workspace->mounts; i++)
		owned_close(&workspace->mounts[i]);
}

void workspace_close(struct workspace *workspace)
{
	workspace_close_mounts(workspace);
	owned_close(&workspace->folder);
	owned_close(&workspace->filesystem);
	owned_close(&workspace->watch);
}

int proc_mount(int context)
{
	if (fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) ||
	    fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	int fd = fsmount(context, FSMOUNT_CLOEXEC,
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

/* -- a user namespace that says: who is `owner` on disk is `application` ---------- */

/* In a child: nobody else may open the namespace's file without CAP_SYS_PTRACE. */
static _Noreturn void be_namespace(int socket)
{
	char mapped;
	int fd;

	if (unshare(CLONE_NEWUSER))
		_exit(1);
	fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || packet_send(socket, "", 1, &fd, 1))
		_exit(1);
	(void)!read(socket, &mapped, 1); /* stay until it is killed */
	_exit(0);
}

static int write_map(pid_t pid, const char *file, uid_t inside, uid_t outside)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return dprintf(fd, "%u %u 1", inside, outside) < 0 ? -errno : 0;
}

static int make_mapping(uid_t owner, uid_t application, gid_t group)
{
	int fds[PACKET_FDS_MAX] = { -1, -1, -1, -1 };
	size_t count = 0;
	char byte;
	int pair[2];
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid_t child = fork();
	if (child == 0) {
		close(pair[0]); /* else it would hold the end whose closing it waits for */
		be_namespace(pair[1]);
	}
	error = child < 0 ? -errno : 0;
	close(pair[1]);
	if (!error && (packet_receive(pair[0], &byte, 1, fds, &count) != 1 || count != 1))
		error = -EIO;
	if (!error)
		error = write_map(child, "uid_map", owner, application);
	if (!error)
		error = write_map(child, "gid_map", owner, group);
	close(pair[0]);
	if (child > 0)
		(void)kill(child, SIGKILL);
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	if (error) {
		owned_close(&fds[0]);
		return error;
	}
	return fds[0];
}

static int share_mapped(int folder, uid_t owner, uid_t application, gid_t group)
{
	AUTO_FD tree = open_tree(folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	AUTO_FD mapping = make_mapping(owner, application, group);

	if (tree < 0)
		return -errno;
	if (mapping < 0)
		return mapping;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)mapping };
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr))
		return -errno;
	return take_fd(&tree);
}

/* -- the older way: POSIX access control lists -------------------------------------- */

/* Layout of the xattr: include/uapi/linux/posix_acl_xattr.h. */
enum { ACL_VERSION = 2, USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, MASK = 16, OTHER = 32 };

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry entries[6];
};

static int share_listed(int folder, uid_t owner, uid_t application)
{
	uid_t low = owner < application ? owner : application;
	uid_t high = owner < application ? application : owner;
	const struct acl acl = {
		.version = htole32(ACL_VERSION),
		.entries = { { htole16(USER_OBJ), htole16(7), UINT32_MAX },
			     { htole16(USER), htole16(7), htole32(low) }, /* sorted by id */
			     { htole16(USER), htole16(7), htole32(high) },
			     { htole16(GROUP_OBJ), htole16(5), UINT32_MAX },
			     { htole16(MASK), htole16(7), UINT32_MAX },
			     { htole16(OTHER), htole16(5), UINT32_MAX } },
	};

	if (fsetxattr(folder, "system.posix_acl_access", &acl, sizeof acl, 0) ||
	    fsetxattr(folder, "system.posix_acl_default", &acl, sizeof acl, 0))
		return -errno;
	int fd = openat(folder, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int share_folder(int folder, uid_t owner, uid_t application, gid_t group)
{
	int fd;

	if (application == 0) { /* root needs no mapping, and may not be mapped */
		fd = openat(folder, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	fd = share_mapped(folder, owner, application, group);
	return fd == -EINVAL ? share_listed(folder, owner, application) : fd;
}
