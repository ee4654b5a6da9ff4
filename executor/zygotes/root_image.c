#define _GNU_SOURCE
#include "executor/zygotes/root_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/zygotes/root_files.h"

/* A folder that Debian always has and the daemon never needs. It is covered in the
 * daemon's own mount namespace only. (A mount that is attached nowhere would do,
 * but before Linux 6.15 zygotes could not take a copy of it.) */
static const char place[] = "/media";

enum { LINKS_MAX = 16 /* followed from one path */ };

/* What every image has: Python, and what programs load without naming it; wheels bring
 * all their libraries but C's and C++'s. */
static const char own_packages[] =
	"python3 python3-minimal libpython3-stdlib "
	"python" PYTHON_VERSION " python" PYTHON_VERSION "-minimal "
	"libpython" PYTHON_VERSION "-stdlib libpython" PYTHON_VERSION "-minimal "
	"libc6 libc-bin libgcc-s1 libmagic-mgc libstdc++6 ncurses-base tzdata";

/* Not programs, not needed by any, and most of what there is. */
static const char *const left_out[] = {
	"/usr/share/doc/",      "/usr/share/man/",          "/usr/share/info/",
	"/usr/share/locale/",   "/usr/share/bug/",          "/usr/share/menu/",
	"/usr/share/icons/",    "/usr/share/lintian/",      "/usr/share/pixmaps/",
	"/usr/share/doc-base/", "/usr/share/applications/",
};

struct making {
	int folder; /* the image's */
	int links;  /* followed on the way to the path at hand */
	char failed[PATH_MAX];
};

static int add_path(void *context, const char *path);

/* -- names ------------------------------------------------------------------------- */

/* /bin/sh -> /usr/bin/sh where /bin is a link: an image has each file once. */
static void unmerge(const char *path, char canonical[PATH_MAX])
{
	size_t top = 1 + strcspn(path + 1, "/");
	char folder[64], target[64];

	snprintf(folder, sizeof folder, "%.*s", (int)top, path);
	ssize_t length = path[top] ? readlink(folder, target, sizeof target - 1) : -1;
	if (length > 0)
		snprintf(canonical, PATH_MAX, "/%.*s%s", (int)length,
			 *target == '/' ? target + 1 : target, path + top);
	else
		snprintf(canonical, PATH_MAX, "%s", path);
}

static bool is_wanted(const char *path)
{
	static const char *const tops[] = { "/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/" };
	bool inside = false;

	for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
		inside |= !strncmp(path, tops[i], strlen(tops[i]));
	for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
		if (!strncmp(path, left_out[i], strlen(left_out[i])))
			return false;
	/* conversions of character sets: large, and Python has its own */
	return inside && !strstr(path, "/../") && !strstr(path, "/gconv/");
}

/* -- copying ------------------------------------------------------------------------ */

static int make_parents(int folder, const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof part, "%s", path + 1);
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(folder, part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int copy_bytes(int from, int to, off_t length)
{
	while (length > 0) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)length);

		if (sent <= 0)
			return sent ? -errno : -EIO;
		length -= sent;
	}
	return 0;
}

/* With its time: Python compares it to see whether compiled code is still good. No
 * set-uid bit: nothing inside can use one. */
static int copy_file(int folder, const char *path, int from, const struct stat *info)
{
	AUTO_FD to = openat(folder, path + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const struct timespec times[] = { info->st_mtim, info->st_mtim };

	if (to < 0)
		return -errno;
	int error = copy_bytes(from, to, info->st_size);
	if (error)
		return error;
	if (fchmod(to, (info->st_mode & 0555) | 0444) || futimens(to, times))
		return -errno;
	return 0;
}

static int add_file(struct making *making, const char *path, const struct stat *info)
{
	AUTO_FD from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0)
		return -errno;
	int error = make_parents(making->folder, path);
	if (!error)
		error = copy_file(making->folder, path, from, info);
	return error ? error : needed_libraries(from, path, add_path, making);
}

/* foo.py -> __pycache__/foo.cpython-311.pyc, which no package's list has. */
static int add_compiled(struct making *making, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	const char *ending = strrchr(name, '.');
	char compiled[PATH_MAX];

	if (!ending || strcmp(ending, ".py"))
		return 0;
	if (snprintf(compiled, sizeof compiled, "%.*s__pycache__/%.*s.%s.pyc", (int)(name - path),
		     path, (int)(ending - name), name, PYTHON_CACHE_TAG) >= PATH_MAX)
		return 0;
	return add_path(making, compiled);
}

/* Links that update-alternatives made lead out of the image's folders: past them. */
static int add_link(struct making *making, const char *path)
{
	char target[PATH_MAX], next[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof target - 1);

	if (length < 0)
		return -errno;
	target[length] = '\0';
	if (!strncmp(target, "/etc/alternatives/", 18) && !realpath(path, target))
		return 0;
	int error = make_parents(making->folder, path);
	if (error)
		return error;
	if (symlinkat(target, making->folder, path + 1) && errno != EEXIST)
		return -errno;
	if (!realpath(path, next))
		return 0;
	if (*target != '/' && !strchr(target, '/')) /* through any link between, by its name */
		snprintf(next, sizeof next, "%.*s%s", (int)(strrchr(path, '/') + 1 - path), path,
			 target);
	if (++making->links > LINKS_MAX)
		return -ELOOP;
	error = add_path(making, next);
	making->links--;
	return error;
}

static int add_path(void *context, const char *listed)
{
	struct making *making = context;
	char path[PATH_MAX];
	struct stat info;
	int error = 0;

	unmerge(listed, path);
	/* what a list names may be diverted or gone */
	if (!is_wanted(path) || lstat(path, &info) ||
	    !faccessat(making->folder, path + 1, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (S_ISREG(info.st_mode))
		error = add_file(making, path, &info);
	else if (S_ISLNK(info.st_mode))
		error = add_link(making, path);
	if (!error && S_ISREG(info.st_mode))
		error = add_compiled(making, path);
	if (error && !*making->failed)
		snprintf(making->failed, sizeof making->failed, "%s", path);
	return error;
}

/* `awk` is in no package; whose target is in the image gets its link as well. */
static int add_alternative(void *context, const char *link, const char *target)
{
	struct making *making = context;
	char path[PATH_MAX], canonical[PATH_MAX];

	unmerge(link, path);
	unmerge(target, canonical);
	if (!is_wanted(path) || faccessat(making->folder, canonical + 1, F_OK, 0) ||
	    !faccessat(making->folder, path + 1, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	int error = make_parents(making->folder, path);
	if (error)
		return error;
	return symlinkat(canonical, making->folder, path + 1) ? -errno : 0;
}

/* `python`, as people type it. */
static int add_short_name(struct making *making)
{
	int error = make_parents(making->folder, "/usr/local/bin/python");

	if (error)
		return error;
	return symlinkat("/usr/bin/python3", making->folder, "usr/local/bin/python") ? -errno : 0;
}

/* -- an image ----------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add_text(char *message, const char *format, ...)
{
	size_t used = strlen(message);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message + used, ROOT_IMAGE_MESSAGE_BYTES - used, format, arguments);
	va_end(arguments);
}

static int add_packages(struct making *making, const char *names, char *message)
{
	AUTO_FREE char *copy = strdup(names);
	char *rest = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *name = strtok_r(copy, " ,", &rest); name; name = strtok_r(NULL, " ,", &rest)) {
		int error = package_files(name, add_path, making);

		if (error == -ENOENT && !*making->failed)
			add_text(message, "%s%s", *message ? " " : "", name);
		else if (error)
			return error;
	}
	return 0;
}

static int fill(struct making *making, const char *packages, int program_fd, char *message)
{
	char ignored[ROOT_IMAGE_MESSAGE_BYTES] = "";
	/* Debian's names of Python's packages differ between its versions */
	int error = add_packages(making, own_packages, ignored);

	if (!error)
		error = add_packages(making, packages, message);
	if (!error)
		error = needed_libraries(program_fd, "/", add_path, making);
	if (!error)
		error = package_alternatives(add_alternative, making);
	return error ? error : add_short_name(making);
}

int root_images_open(void)
{
	return mount("vivarium", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m") ? -errno
											   : 0;
}

/* Where there can be huge pages in it, large libraries are mapped where one could begin:
 * zygote/python/python_huge.c makes use of that. The files are in small pages as ever. */
static int mount_image(const char *path)
{
	static const char *const options[] = { "mode=755,huge=advise", "mode=755" };
	int error = -EINVAL;

	for (size_t i = 0; error == -EINVAL && i < sizeof options / sizeof *options; i++)
		error = mount("vivarium", path, "tmpfs", MS_NOSUID | MS_NODEV, options[i]) ? -errno
											   : 0;
	return error;
}

int root_image_make(struct root_image *image, const char *name, const char *packages,
		    int program_fd, char message[ROOT_IMAGE_MESSAGE_BYTES])
{
	struct making making = { .failed = "" };
	mode_t mask = umask(022);
	int error;

	*message = '\0';
	snprintf(image->path, sizeof image->path, "%s/%s", place, name);
	error = mkdir(image->path, 0755) ? -errno : mount_image(image->path);
	if (error) {
		add_text(message, "cannot mount %.100s: %s", image->path, strerror(-error));
		(void)rmdir(image->path);
		image->path[0] = '\0';
		umask(mask);
		return error;
	}
	making.folder = open(image->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	error = making.folder < 0 ? -errno : fill(&making, packages, program_fd, message);
	if (making.folder >= 0)
		close(making.folder);
	umask(mask);
	if (!error && mount(NULL, image->path, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
			    "mode=755"))
		error = -errno;
	if (error) {
		*message = '\0';
		add_text(message, "cannot copy %.150s: %s",
			 *making.failed ? making.failed : packages, strerror(-error));
		root_image_free(image);
	}
	return error;
}

void root_image_free(struct root_image *image)
{
	if (!*image->path)
		return;
	(void)umount2(image->path, MNT_DETACH);
	(void)rmdir(image->path);
	image->path[0] = '\0';
}
