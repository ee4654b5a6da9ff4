/* files_tar.h - a directory tree as a tar archive, both ways. */
#ifndef VIVARIUM_FILES_TAR_H
#define VIVARIUM_FILES_TAR_H

#include "fcgi-app/files/files.h"
#include "fcgi-app/files/files_tree.h"

enum { FILES_TAR_ERROR_BYTES = 160 };

/* Check a whole archive and then put its files and folders below the root, in
 * place of files that have their names. An archive with anything that does not
 * belong (a path that leaves, a link, a device, a name twice, ...) is refused
 * before anything is written: -EINVAL, with error[] saying why; what names a
 * member ends with it. Other errors as files_write() has them: part of the
 * archive may be there then. */
int files_tar_extract(int root_fd, const void *archive, size_t length, size_t most_members,
		      char error[FILES_TAR_ERROR_BYTES]);

/* The files and folders of a tree as an archive that is made while it is sent.
 * Symbolic links, FIFOs and devices are left out. */
struct files_tar;

/* What will be sent, and how many bytes in all. 0, -E2BIG for more than `limits`
 * or `most_bytes` allow, or -errno. Takes the descriptor in any case. */
int files_tar_open(int root_fd, const struct files_tree_limits *limits, uint64_t most_bytes,
		   struct files_tar **ret_tar, uint64_t *ret_length);

/* Give all of it to put(), which says 0 or -errno. Exactly the length promised:
 * a file that has changed since is cut, or filled up with zeros. */
int files_tar_send(struct files_tar *tar,
		   int (*put)(void *context, const void *bytes, size_t length), void *context);
void files_tar_free(struct files_tar *tar);

#endif
