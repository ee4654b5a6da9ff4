#define _GNU_SOURCE
#include "executor/sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

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
