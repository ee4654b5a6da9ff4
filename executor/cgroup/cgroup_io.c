/* What all sandboxes together read from disks, bounded where the controller exists: by
 * cgroup v2 in the daemon's own group, of which the sandboxes' are part; by v1, which does
 * not add up children, in one group that zygotes enter, and all their forks with them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"

/* -- by version ------------------------------------------------------------------- */

static int limit_disk_v2(int dir_fd, const char *disk, const struct cgroup_reads *most)
{
	char text[96];

	snprintf(text, sizeof text, "%s rbps=%llu riops=%llu", disk,
		 (unsigned long long)most->bytes, (unsigned long long)most->calls);
	return cgroup_write(dir_fd, "io.max", text);
}

static int limit_disk_v1(int dir_fd, const char *disk, const struct cgroup_reads *most)
{
	char text[64];

	snprintf(text, sizeof text, "%s %llu", disk, (unsigned long long)most->bytes);
	int error = cgroup_write(dir_fd, "blkio.throttle.read_bps_device", text);
	snprintf(text, sizeof text, "%s %llu", disk, (unsigned long long)most->calls);
	return error ? error : cgroup_write(dir_fd, "blkio.throttle.read_iops_device", text);
}

/* The group made below the daemon's place in the hierarchy of the controller. */
static int open_v1(struct cgroup_io *io, const char *parent, const char *name)
{
	char path[PATH_MAX], below[PATH_MAX];
	int error = cgroup_find_mount("cgroup", "blkio", path, sizeof path);

	if (!error && snprintf(below, sizeof below, "%s/%s", path, parent) >= (int)sizeof below)
		error = -ENAMETOOLONG;
	if (error)
		return error;
	io->base = open(below, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (io->base < 0)
		return -errno;
	error = cgroup_purge(io->base, name);
	if (error)
		return error;
	io->own = cgroup_open_dir(io->base, name, true);
	if (io->own < 0)
		return io->own;
	io->door = openat(io->own, "tasks", O_WRONLY | O_CLOEXEC);
	return io->door < 0 ? -errno : 0;
}

static int open_v2(struct cgroup_io *io, int base_fd, int own_fd)
{
	int error = cgroup_write(base_fd, "cgroup.subtree_control", "+io");

	if (error)
		return error;
	io->own = fcntl(own_fd, F_DUPFD_CLOEXEC, 3);
	return io->own < 0 ? -errno : 0;
}

/* -- disks ------------------------------------------------------------------------ */

/* What is none, or has a disk below it that is in the list as well. */
static bool is_passed_over(const char *name)
{
	static const char *const prefixes[] = { ".", "loop", "ram", "zram", "dm-", "md" };

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* Its number, such as "8:0". */
static int read_number(int disks_fd, const char *name, char ret_number[32])
{
	char path[NAME_MAX + 8];

	snprintf(path, sizeof path, "%s/dev", name);
	AUTO_FD fd = openat(disks_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_number, 31);

	if (got <= 0)
		return -ENOENT;
	ret_number[got] = '\0';
	ret_number[strcspn(ret_number, "\n")] = '\0';
	return 0;
}

static int limit_disks(struct cgroup_io *io, const struct cgroup_reads *most)
{
	DIR *disks = opendir("/sys/block");
	struct dirent *entry;
	char number[32];
	int error = 0;

	if (!disks)
		return -errno;
	while (!error && (entry = readdir(disks))) {
		if (is_passed_over(entry->d_name) ||
		    read_number(dirfd(disks), entry->d_name, number))
			continue;
		error = io->door >= 0 ? limit_disk_v1(io->own, number, most)
				      : limit_disk_v2(io->own, number, most);
		io->disks += !error;
	}
	closedir(disks);
	return error;
}

/* -- both -------------------------------------------------------------------------- */

int cgroup_io_open(struct cgroup_io *io, const struct cgroup_io_place *place,
		   const struct cgroup_reads *most)
{
	*io = CGROUP_NO_IO;
	int error = place->v1 ? open_v1(io, place->parent, place->name)
			      : open_v2(io, place->base_fd, place->own_fd);
	if (!error)
		error = limit_disks(io, most);
	if (!error && !io->disks)
		error = -ENODEV;
	if (error)
		cgroup_io_close(io, place->name);
	return error;
}

void cgroup_io_close(struct cgroup_io *io, const char *name)
{
	if (io->base >= 0)
		(void)cgroup_purge(io->base, name);
	owned_close(&io->door);
	owned_close(&io->own);
	owned_close(&io->base);
	*io = CGROUP_NO_IO;
}
