/* files_open.h - opening beneath a root: for the files module's own files. */
#ifndef VIVARIUM_FILES_OPEN_H
#define VIVARIUM_FILES_OPEN_H

#include <dirent.h>
#include <stdbool.h>

#include "fcgi-app/files/files.h"

enum { FILES_TEMPORARY_BYTES = 40 };

/* Not a name that a client may give a saved file, for its dot. */
#define FILES_TEMPORARY_PREFIX ".vivarium-"

/* Is it the name of a file that is being written? */
bool files_is_temporary(const char *name);

/* A name that nobody has. 0 or -errno. */
int files_make_temporary_name(char ret_name[FILES_TEMPORARY_BYTES]);

/* Open beneath the root, through no link. The descriptor or -errno. */
int files_open_beneath(int root_fd, const char *path, int flags);

/* The directory that holds the path's last part. */
int files_open_parent(int root_fd, const struct files_path *path);

/* The same, with the missing directories made on the way, each beneath the one
 * before: nothing outside can be reached, whatever is swapped meanwhile. */
int files_make_parent(int root_fd, const struct files_path *path);

static inline const char *files_last_part(const struct files_path *path)
{
	return path->text + path->name_at;
}

/* A stream of its own over a directory; NULL with errno set. */
DIR *files_open_stream(int root_fd, const char *path);

/* All bytes to a file. 0 or -errno. */
int files_write_bytes(int fd, const void *bytes, size_t length);
int files_write_from(int fd, const struct files_source *source);

#endif
