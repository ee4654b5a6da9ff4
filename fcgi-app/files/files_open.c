#define _GNU_SOURCE
#include "fcgi-app/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/owned.h"

enum { TRIES = 8, COPY_BYTES = 32 << 10 };

bool files_is_temporary(const char *name)
{
	return !strncmp(name, FILES_TEMPORARY_PREFIX, strlen(FILES_TEMPORARY_PREFIX));
}

int files_make_temporary_name(char ret_name[FILES_TEMPORARY_BYTES])
{
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -EIO;
	snprintf(ret_name, FILES_TEMPORARY_BYTES, FILES_TEMPORARY_PREFIX "%016llx",
		 (unsigned long long)random);
	return 0;
}

/* EAGAIN has two meanings: a rename went on beside us and the kernel could not be
 * sure (then the next try goes well), or the program holds a lease on the file,
 * and would make an open that waits wait for long. */
int files_open_beneath(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};

	for (int left = TRIES; left > 0; left--) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);

		if (fd >= 0)
			return (int)fd;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return -EBUSY;
}

int files_open_parent(int root_fd, const struct files_path *path)
{
	char parent[FILES_PATH_BYTES];

	if (path->name_at == 0)
		return files_open_beneath(root_fd, ".", O_RDONLY | O_DIRECTORY);
	memcpy(parent, path->text, path->name_at - 1);
	parent[path->name_at - 1] = '\0';
	return files_open_beneath(root_fd, parent, O_RDONLY | O_DIRECTORY);
}

/* Most often it is there, and one call says so: a thousand files may lie hundreds of
 * folders deep. */
int files_make_parent(int root_fd, const struct files_path *path)
{
	AUTO_FD at = files_open_parent(root_fd, path);
	const char *part = path->text;

	if (at >= 0)
		return take_fd(&at);
	at = files_open_beneath(root_fd, ".", O_RDONLY | O_DIRECTORY);

	while (at >= 0 && part < path->text + path->name_at) {
		char name[FILES_NAME_MAX + 1];
		size_t length = strcspn(part, "/");

		memcpy(name, part, length);
		name[length] = '\0';
		if (mkdirat(at, name, 0755) && errno != EEXIST)
			return -errno;
		int next = files_open_beneath(at, name, O_RDONLY | O_DIRECTORY);
		owned_close(&at);
		at = next;
		part += length + 1;
	}
	return at < 0 ? at : take_fd(&at);
}

DIR *files_open_stream(int root_fd, const char *path)
{
	AUTO_FD fd = files_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY);
	DIR *stream;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = fdopendir(fd);
	if (stream)
		(void)take_fd(&fd);
	return stream;
}

int files_write_bytes(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t wrote = write(fd, at, length);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			at += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

int files_write_from(int fd, const struct files_source *source)
{
	char bytes[COPY_BYTES];
	uint64_t written = 0;
	long got;
	int failed = 0;

	while (!failed && (got = source->read(source->context, bytes, sizeof bytes)) > 0) {
		written += (uint64_t)got;
		failed =
			written > source->most ? -EFBIG : files_write_bytes(fd, bytes, (size_t)got);
	}
	return failed ? failed : (int)got;
}

/* ---- paths ---------------------------------------------------------------- */

/* Append one part to the tidy path. */
static int push(struct files_path *path, size_t *length, struct text part)
{
	if (part.length > FILES_NAME_MAX || *length + part.length + 2 > sizeof path->text)
		return -ENAMETOOLONG;
	if (*length)
		path->text[(*length)++] = '/';
	path->name_at = *length;
	memcpy(path->text + *length, part.data, part.length);
	*length += part.length;
	return 0;
}

/* Take the last part away again; false if there is none. */
static bool pop(const struct files_path *path, size_t *length)
{
	if (*length == 0)
		return false;
	while (*length && path->text[*length - 1] != '/')
		(*length)--;
	if (*length)
		(*length)--; /* the slash before it */
	return true;
}

int files_path_set(struct text path, struct files_path *ret_path)
{
	const char *at = path.data;
	const char *end = at + path.length;
	size_t length = 0;
	struct text part = { 0 };

	if (!path.data || path.length == 0 || *at == '/' || memchr(at, '\0', path.length) ||
	    !utf8_valid(at, path.length))
		return -EINVAL;
	ret_path->name_at = 0;
	for (; at <= end; at += part.length + 1) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		int failed = 0;

		part = (struct text){ at, (size_t)((slash ? slash : end) - at) };
		if (text_equals(part, ".."))
			failed = pop(ret_path, &length) ? 0 : -EINVAL;
		else if (part.length && !text_equals(part, "."))
			failed = push(ret_path, &length, part);
		if (failed)
			return failed;
	}
	/* What ends in ".", ".." or a slash names a directory, and we take files. */
	if (length == 0 || part.length == 0 || text_equals(part, ".") || text_equals(part, ".."))
		return -EINVAL;
	ret_path->text[length] = '\0';
	return 0;
}

bool files_name_valid(struct text name)
{
	if (!name.data || name.length == 0 || name.length > FILES_NAME_MAX || name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.length; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
			return false;
	}
	return utf8_valid(name.data, name.length);
}
