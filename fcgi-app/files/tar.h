/* tar.h - the tar format, in memory: ustar with pax headers for what does not
 * fit. Pure functions; nothing is believed about what is read. */
#ifndef VIVARIUM_TAR_H
#define VIVARIUM_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

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

/* A member's header as ustar lays it out. */
struct tar_header {
	char name[100];
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
	char prefix[155];
	char unused[12];
};

_Static_assert(sizeof(struct tar_header) == 512, "a header is one block");

#endif
