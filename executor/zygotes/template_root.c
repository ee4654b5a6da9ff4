#define _GNU_SOURCE
#include "executor/zygotes/template_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/spawn.h"

/* Where the template is put together; only this mount namespace sees it. */
static const char place[] = "/tmp";

enum { BINDS_MAX = 48 };

struct bind {
	char path[PATH_MAX]; /* in the sandbox */
	int tree;            /* its detached copy */
	bool directory;
	uint64_t attributes;
};

struct binds {
	struct bind *list;
	size_t count;
};

static const uint64_t folder_attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
static const uint64_t device_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
				       "/dev/urandom" };

/* On a merged-/usr system these are links. */
static const char *const top_folders[] = { "bin", "sbin", "lib", "lib64", "lib32", "libx32" };

static const char *const empty_folders[] = {
	"proc", "workspace", "tmp", "dev", "dev/shm", "etc", "usr", "var", "run", "home",
};

/* All that programs can be have one name. */
#define USER(id) "user:x:" id ":" id ":user:/workspace:/bin/sh\n"
#define GROUP(id) "user:x:" id ":\n"
#define EACH(what)                                                                                 \
	what("1000") what("1001") what("1002") what("1003") what("1004") what("1005") what("1006") \
		what("1007") what("1008") what("1009") what("1010") what("1011")
_Static_assert(SANDBOX_USER_UID == 1000 && SANDBOX_USERS_MAX == 12, "EACH() names them");

static const struct {
	const char *path, *text;
} etc_files[] = {
	{ "etc/passwd", EACH(USER) "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "etc/group", EACH(GROUP) "nogroup:x:65534:\n" },
	{ "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" },
	{ "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
	{ "etc/resolv.conf", "" },
};

static const struct {
	const char *path, *target;
} links[] = {
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
	{ "etc/localtime", "/usr/share/zoneinfo/Etc/UTC" },
	{ "var/tmp", "/tmp" },
};

__attribute__((format(printf, 2, 3))) static void note(char step[ROOT_STEP_BYTES],
						       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(step, ROOT_STEP_BYTES, format, arguments);
	va_end(arguments);
}

/* -- taking copies of what is bound, while the host is still in sight ------- */

static int take_tree(struct binds *binds, const char *from, const char *path, uint64_t attributes)
{
	struct stat info;

	if (binds->count == BINDS_MAX)
		return -E2BIG;
	if (stat(from, &info))
		return -errno;

	struct bind *bind = &binds->list[binds->count];
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
	AUTO_FD tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr))
		return -errno;
	snprintf(bind->path, sizeof bind->path, "%s", path);
	bind->directory = S_ISDIR(info.st_mode);
	bind->attributes = attributes;
	bind->tree = take_fd(&tree);
	binds->count++;
	return 0;
}

static int take_folders(struct binds *binds, const char *paths, char step[ROOT_STEP_BYTES])
{
	AUTO_FREE char *copy = strdup(paths ? paths : "");
	char *rest = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *path = strtok_r(copy, " ,", &rest); path; path = strtok_r(NULL, " ,", &rest)) {
		note(step, "bind %s (setting root_paths)", path);
		int error =
			*path == '/' ? take_tree(binds, path, path, folder_attributes) : -EINVAL;
		if (error)
			return error;
	}
	return 0;
}

/* Each folder of the image is one of the sandbox's: /usr, and those beside it
 * that are no links on this system. */
static int take_image(struct binds *binds, const char *image, char step[ROOT_STEP_BYTES])
{
	DIR *entries = image && *image ? opendir(image) : NULL;
	struct dirent *entry;
	int error = 0;

	if (!entries)
		return image && *image ? -errno : 0;
	while (!error && (entry = readdir(entries))) {
		char from[PATH_MAX], path[NAME_MAX + 2];

		if (*entry->d_name == '.')
			continue;
		snprintf(from, sizeof from, "%s/%s", image, entry->d_name);
		snprintf(path, sizeof path, "/%s", entry->d_name);
		note(step, "bind %s", path);
		error = take_tree(binds, from, path, folder_attributes);
	}
	closedir(entries);
	return error;
}

static int take_environment(struct binds *binds, const struct root_plan *plan,
			    char step[ROOT_STEP_BYTES])
{
	if (!plan->environment || !*plan->environment)
		return 0;
	note(step, "bind the environment %.100s", plan->environment);
	return take_tree(binds, plan->environment, plan->environment_place, folder_attributes);
}

static int take_devices(struct binds *binds, char step[ROOT_STEP_BYTES])
{
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		note(step, "bind %s", devices[i]);
		int error = take_tree(binds, devices[i], devices[i], device_attributes);
		if (error)
			return error;
	}
	return 0;
}

/* -- filling the template --------------------------------------------------- */

static int write_file(int root, const char *path, const void *bytes, size_t length)
{
	AUTO_FD fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0)
		return -errno;
	return write(fd, bytes, length) == (ssize_t)length ? 0 : -EIO;
}

static int make_folders(int root)
{
	for (size_t i = 0; i < sizeof empty_folders / sizeof *empty_folders; i++)
		if (mkdirat(root, empty_folders[i], 0755))
			return -errno;
	return 0;
}

static int make_files_and_links(int root)
{
	for (size_t i = 0; i < sizeof etc_files / sizeof *etc_files; i++) {
		int error = write_file(root, etc_files[i].path, etc_files[i].text,
				       strlen(etc_files[i].text));
		if (error)
			return error;
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (symlinkat(links[i].target, root, links[i].path))
			return -errno;
	return 0;
}

/* /bin -> usr/bin and its like, as on the host. */
static int copy_top_links(int root)
{
	for (size_t i = 0; i < sizeof top_folders / sizeof *top_folders; i++) {
		char path[16], target[PATH_MAX];

		snprintf(path, sizeof path, "/%s", top_folders[i]);
		ssize_t length = readlink(path, target, sizeof target - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		if (symlinkat(target, root, top_folders[i]))
			return -errno;
	}
	return 0;
}

/* Every folder on the way to root/path. */
static int make_parents(int root, const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof part, "%s", path + 1);
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(root, part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int attach(int root, const struct bind *bind)
{
	int error = make_parents(root, bind->path);

	if (error)
		return error;
	if (bind->directory) {
		if (mkdirat(root, bind->path + 1, 0755) && errno != EEXIST)
			return -errno;
	} else {
		error = write_file(root, bind->path + 1, "", 0);
		if (error)
			return error;
	}
	return move_mount(bind->tree, "", root, bind->path + 1, MOVE_MOUNT_F_EMPTY_PATH) ? -errno
											 : 0;
}

/* Imports may want a temporary folder. Nobody sees it later: the mount that covers
 * it is locked in a sandbox. */
static int add_scratch(int root, uid_t uid)
{
	char options[64];

	snprintf(options, sizeof options, "mode=700,size=16m,uid=%u", (unsigned)uid);
	if (fchdir(root))
		return -errno;
	return mount("vivarium", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, options) ? -errno : 0;
}

static int fill(int root, const struct root_plan *plan, const struct binds *binds,
		char step[ROOT_STEP_BYTES])
{
	note(step, "fill the template");
	int error = make_folders(root);
	if (!error)
		error = make_files_and_links(root);
	if (!error)
		error = copy_top_links(root);
	if (!error)
		error = add_scratch(root, plan->scratch_uid);
	for (size_t i = 0; !error && i < binds->count; i++) {
		note(step, "attach %s", binds->list[i].path);
		error = attach(root, &binds->list[i]);
	}
	return error;
}

/* Docker's system call filter refuses pivot_root to everybody. Then the template
 * is laid over the old root, which stays beneath it: nobody gets there, because
 * in the sandboxes' namespaces, made by less privileged users, the mount on top
 * is locked. Takes CAP_SYS_CHROOT. */
static int cover_old_root(int root)
{
	if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return chroot(".") ? -errno : 0;
}

static int pivot(int root)
{
	struct mount_attr attr = { .attr_set = folder_attributes };
	int error = 0;

	if (mount_setattr(root, "", AT_EMPTY_PATH, &attr, sizeof attr) || fchdir(root))
		return -errno;
	if (root_pivot_refused())
		error = cover_old_root(root);
	else if (syscall(SYS_pivot_root, ".", ".") ||
		 umount2(".", MNT_DETACH)) /* the old root lies on top of the new one */
		error = -errno;
	if (error)
		return error;
	return chdir("/") ? -errno : 0;
}

static int build(struct binds *binds, const struct root_plan *plan, char step[ROOT_STEP_BYTES])
{
	int error = take_image(binds, plan->image, step);

	if (!error)
		error = take_folders(binds, plan->paths, step);
	if (!error)
		error = take_environment(binds, plan, step);
	if (!error)
		error = take_devices(binds, step);
	if (error)
		return error;

	note(step, "mount a tmpfs on %s", place);
	if (mount("vivarium", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=8m"))
		return -errno;
	AUTO_FD root = open(place, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	error = fill(root, plan, binds, step);
	if (error)
		return error;
	note(step, "pivot into the template");
	return pivot(root);
}

bool root_pivot_refused(void)
{
	/* the kernel itself would complain about the null pointers */
	return syscall(SYS_pivot_root, NULL, NULL) && errno == EPERM;
}

int root_enter(const struct root_plan *plan, char step[ROOT_STEP_BYTES])
{
	struct binds binds = { .list = calloc(BINDS_MAX, sizeof(struct bind)) };
	int error;

	if (!binds.list)
		return -ENOMEM;
	umask(022);
	note(step, "take a mount namespace");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		error = -errno;
	else
		error = build(&binds, plan, step);
	for (size_t i = 0; i < binds.count; i++)
		close(binds.list[i].tree);
	free(binds.list);
	return error;
}
