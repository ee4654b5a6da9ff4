/* tar.h - archives: the tar format in memory, and trees as archives.
 *
 * The format is ustar with pax headers for what does not fit. Pure functions; nothing is
 * believed about what is read. */
#ifndef VIVARIUM_TAR_H
#define VIVARIUM_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "fcgi-app/files/files.h"

enum { TAR_BLOCK = 512, TAR_HEADERS_MAX = 6 * 1024 };

enum tar_type { TAR_FILE, TAR_DIRECTORY };

struct tar_member {
	struct text path; /* as it stands in the archive, without a final slash */
	enum tar_type type;
	bool executable;
	uint64_t size;
	int64_t modified;    /* seconds since 1970 */
	const void *content; /* reading: points into the archive */
};

/* Append a member's headers. What follows it: its content, then zeros up to a
 * whole block. 0 or -ENOMEM. */
int tar_put_headers(struct buffer *out, const struct tar_member *member);

/* How many bytes tar_put_headers() makes of it. */
uint64_t tar_headers_length(const struct tar_member *member);

/* Zeros after content of this length. */
static inline unsigned tar_padding(uint64_t size)
{
	return (unsigned)(-size & (TAR_BLOCK - 1));
}

struct tar_reader {
	const uint8_t *at;
	size_t left;
	struct buffer path; /* of the last member, where it was not in one piece */
	const char *wrong;  /* after -EINVAL: a clause for people */
};

#define TAR_READER(bytes, length) ((struct tar_reader){ .at = (bytes), .left = (length) })

/* The next file or directory. 1, 0 at the end, -ENOMEM, or -EINVAL: the archive
 * is damaged, or has a member that is neither. The member's path is good until
 * the next call. */
int tar_next(struct tar_reader *reader, struct tar_member *ret_member);
void tar_reader_free(struct tar_reader *reader);

enum { TAR_NAME_BYTES = 100, TAR_PREFIX_BYTES = 155 };

/* A member's header as ustar lays it out. */
struct tar_header {
	char name[TAR_NAME_BYTES];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char modified[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[TAR_PREFIX_BYTES];
	char unused[12];
};

_Static_assert(sizeof(struct tar_header) == 512, "a header is one block");

/* ---- a directory tree as an archive, both ways (files_tar.c) ------------------------ */

enum { FILES_TAR_ERROR_BYTES = 160 };

/* An archive with anything that does not belong (a path that leaves, a link, a device,
 * a name twice, ...) is refused: -EINVAL, with error[] saying why; what names a member
 * ends with it. Else *ret_room is what its files and folders take at most, as
 * files_room() counts. 0 or -errno. */
int files_tar_check(const void *archive, size_t length, size_t most_members, uint64_t *ret_room,
		    char error[FILES_TAR_ERROR_BYTES]);

/* Put its files and folders below the root, in place of files that have their names; it
 * is checked first, as above. Other errors as files_write() has them: part of the archive
 * may be there then. */
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
