#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/files/tar.h"

static void put_octal(char *field, size_t size, uint64_t value)
{
	/* the digits and a NUL fill the field */
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

static bool fits_octal(uint64_t value, size_t size)
{
	return value >> (3 * (size - 1)) == 0;
}

/* Where to split the path into prefix and name; 0: it fits the name; -1: not at
 * all. `length` counts a directory's final slash. */
static long split_at(struct text path, size_t length)
{
	if (length <= sizeof(((struct tar_header *)0)->name))
		return 0;
	for (size_t i = path.length; i-- > 0;)
		if (path.data[i] == '/' && i <= sizeof(((struct tar_header *)0)->prefix) &&
		    length - i - 1 <= sizeof(((struct tar_header *)0)->name) && i > 0)
			return (long)i;
	return -1;
}

static void put_checksum(struct tar_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t i = 0; i < sizeof *header; i++)
		sum += bytes[i];
	snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
}

static int put_header(struct buffer *out, char type, struct text prefix, struct text name,
		      bool slash, const struct tar_member *member, uint64_t size)
{
	struct tar_header header = { .type = type, .magic = "ustar", .version = { '0', '0' } };
	bool open = member->executable || member->type == TAR_DIRECTORY;

	memcpy(header.prefix, prefix.data ? prefix.data : "", prefix.length);
	memcpy(header.name, name.data, name.length);
	if (slash)
		header.name[name.length] = '/';
	put_octal(header.mode, sizeof header.mode, open ? 0755 : 0644);
	put_octal(header.uid, sizeof header.uid, 1000);
	put_octal(header.gid, sizeof header.gid, 1000);
	put_octal(header.size, sizeof header.size, size);
	put_octal(header.modified, sizeof header.modified,
		  member->modified < 0 ? 0 : (uint64_t)member->modified);
	strcpy(header.user, "user");
	strcpy(header.group, "user");
	put_checksum(&header);
	return buffer_append(out, &header, sizeof header);
}

/* "27 path=...\n": the length counts itself. */
static int put_record(struct buffer *records, const char *key, struct text value)
{
	size_t rest = strlen(key) + value.length + 3; /* space, equals sign, line feed */
	char head[48];
	size_t digits = 1, length;

	do {
		length = rest + digits;
	} while ((size_t)snprintf(head, sizeof head, "%zu", length) != digits && ++digits);
	int written = snprintf(head, sizeof head, "%zu %s=", length, key);
	int failed = buffer_append(records, head, (size_t)written);
	failed = failed ? failed : buffer_append(records, value.data, value.length);
	return failed ? failed : buffer_append(records, "\n", 1);
}

static int put_pax(struct buffer *out, const struct tar_member *member, bool path, bool size)
{
	static const uint8_t zeros[TAR_BLOCK];
	AUTO_BUFFER records = BUFFER_INIT(0);
	char digits[24];
	int failed = 0;

	if (path) {
		AUTO_BUFFER whole = BUFFER_INIT(0);

		failed = buffer_append(&whole, member->path.data, member->path.length);
		if (!failed && member->type == TAR_DIRECTORY)
			failed = buffer_append(&whole, "/", 1);
		if (!failed)
			failed =
				put_record(&records, "path",
					   (struct text){ (const char *)whole.data, whole.length });
	}
	if (!failed && size) {
		snprintf(digits, sizeof digits, "%" PRIu64, member->size);
		failed = put_record(&records, "size", text_of(digits));
	}
	if (!failed)
		failed = put_header(out, 'x', (struct text){ 0 }, TEXT("pax-header"), false, member,
				    records.length);
	failed = failed ? failed : buffer_append(out, records.data, records.length);
	return failed ? failed : buffer_append(out, zeros, tar_padding(records.length));
}

int tar_put_headers(struct buffer *out, const struct tar_member *member)
{
	bool slash = member->type == TAR_DIRECTORY;
	long at = split_at(member->path, member->path.length + slash);
	bool large = !fits_octal(member->size, sizeof(((struct tar_header *)0)->size));
	struct text prefix = { member->path.data, at > 0 ? (size_t)at : 0 };
	struct text name = member->path;
	int failed = 0;

	if (at < 0 || large)
		failed = put_pax(out, member, at < 0, large);
	if (at > 0) {
		name.data += at + 1;
		name.length -= (size_t)at + 1;
	} else if (at < 0) { /* as much as fits, for readers that know no pax */
		name.length = sizeof(((struct tar_header *)0)->name) - slash;
	}
	return failed ? failed
		      : put_header(out, slash ? '5' : '0', prefix, name, slash, member,
				   large ? 0 : member->size);
}

uint64_t tar_headers_length(const struct tar_member *member)
{
	AUTO_BUFFER headers = BUFFER_INIT(0);

	return tar_put_headers(&headers, member) ? 0 : headers.length;
}
