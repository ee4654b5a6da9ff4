#include "fcgi-app/files/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint8_t zeros[TAR_BLOCK];

/* ---- reading ------------------------------------------------------------------------ */

/* What extension headers said about the next member. */
struct extension {
	bool has_path, has_size, has_modified;
	uint64_t size, modified;
};

static int wrong(struct tar_reader *reader, const char *clause)
{
	reader->wrong = clause;
	return -EINVAL;
}

/* Octal digits with spaces or NULs around them, or base 256 as GNU has it. False
 * if it is no number, or one that is out of all reason. */
static bool read_number(const char *field, size_t size, uint64_t *ret_value)
{
	const uint8_t *at = (const uint8_t *)field, *end = at + size;
	uint64_t value = 0;

	if (*at & 0x80) {
		value = *at++ & 0x7f;
		for (; at < end; at++) {
			if (value >> 48)
				return false;
			value = value << 8 | *at;
		}
		*ret_value = value;
		return true;
	}
	while (at < end && *at == ' ')
		at++;
	for (; at < end && *at >= '0' && *at <= '7'; at++)
		value = value << 3 | (uint64_t)(*at - '0');
	for (; at < end; at++)
		if (*at && *at != ' ')
			return false;
	*ret_value = value;
	return true;
}

/* The checksum itself counts as spaces. Some writers summed signed characters. */
static unsigned checksum_of(const struct tar_header *header, int64_t *ret_signed)
{
	const uint8_t *bytes = (const uint8_t *)header;
	size_t from = offsetof(struct tar_header, checksum);
	unsigned sum = 0;

	*ret_signed = 0;
	for (size_t i = 0; i < sizeof *header; i++) {
		uint8_t byte = i >= from && i < from + sizeof header->checksum ? ' ' : bytes[i];

		sum += byte;
		*ret_signed += (int8_t)byte;
	}
	return sum;
}

static bool checksum_is_right(const struct tar_header *header)
{
	int64_t sum_signed;
	uint64_t said, sum = checksum_of(header, &sum_signed);

	return read_number(header->checksum, sizeof header->checksum, &said) &&
	       (said == sum || (int64_t)said == sum_signed);
}

static void skip(struct tar_reader *reader, uint64_t bytes)
{
	size_t step = bytes < reader->left ? (size_t)bytes : reader->left;

	reader->at += step;
	reader->left -= step;
}

static int set_path(struct tar_reader *reader, const void *bytes, size_t length)
{
	reader->path.length = 0;
	return buffer_append(&reader->path, bytes, length);
}

static bool read_decimal(struct text value, uint64_t *ret_value)
{
	uint64_t number = 0;

	if (value.length == 0 || value.length > 18)
		return false;
	for (size_t i = 0; i < value.length; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(value.data[i] - '0');
	}
	*ret_value = number;
	return true;
}

static int take_record(struct tar_reader *reader, struct text key, struct text value,
		       struct extension *extension)
{
	if (text_equals(key, "path")) {
		extension->has_path = true;
		return set_path(reader, value.data, value.length);
	}
	if (text_equals(key, "size")) {
		extension->has_size = true;
		return read_decimal(value, &extension->size)
			       ? 0
			       : wrong(reader, "a size is not a number");
	}
	if (text_equals(key, "mtime")) {
		const char *point = memchr(value.data, '.', value.length);

		if (point)
			value.length = (size_t)(point - value.data);
		extension->has_modified = read_decimal(value, &extension->modified);
	}
	if (key.length > 11 && !memcmp(key.data, "GNU.sparse.", 11))
		return wrong(reader, "it has a sparse file");
	return 0;
}

/* "LENGTH KEY=VALUE\n" over and over. */
static int read_pax(struct tar_reader *reader, struct text records, struct extension *extension)
{
	while (records.length) {
		const char *space = memchr(records.data, ' ', records.length);
		struct text digits = { records.data, space ? (size_t)(space - records.data) : 0 };
		uint64_t length;

		if (!read_decimal(digits, &length) || length > records.length ||
		    length < digits.length + 3 || records.data[length - 1] != '\n')
			return wrong(reader, "an extended header is damaged");
		const char *key = space + 1, *end = records.data + length - 1;
		const char *equals = key < end ? memchr(key, '=', (size_t)(end - key)) : NULL;
		if (!equals)
			return wrong(reader, "an extended header is damaged");
		int failed = take_record(reader, (struct text){ key, (size_t)(equals - key) },
					 (struct text){ equals + 1, (size_t)(end - equals - 1) },
					 extension);
		if (failed)
			return failed;
		records.data += length;
		records.length -= (size_t)length;
	}
	return 0;
}

/* Headers that speak about the next member. 1 if it was one, 0 if not, -errno. */
static int read_extension(struct tar_reader *reader, char type, struct text content,
			  struct extension *extension)
{
	struct extension ignored = { 0 };
	int failed;

	switch (type) {
	case 'x':
		failed = read_pax(reader, content, extension);
		break;
	case 'g': /* for all members: a comment, as git has it, and nothing else */
		failed = read_pax(reader, content, &ignored);
		if (!failed && (ignored.has_path || ignored.has_size))
			failed = wrong(reader, "a global header names a path or size");
		break;
	case 'L':
		extension->has_path = true;
		failed = set_path(reader, content.data, strnlen(content.data, content.length));
		break;
	default:
		return 0;
	}
	return failed ? failed : 1;
}

/* The path of a plain header: prefix, slash, name. */
static int join_path(struct tar_reader *reader, const struct tar_header *header)
{
	size_t prefix = strnlen(header->prefix, sizeof header->prefix);
	int failed = 0;

	reader->path.length = 0;
	/* GNU's own format has other things where ustar has the prefix. */
	if (!memcmp(header->magic, "ustar", 6) && prefix) {
		failed = buffer_append(&reader->path, header->prefix, prefix);
		failed = failed ? failed : buffer_append(&reader->path, "/", 1);
	}
	return failed ? failed
		      : buffer_append(&reader->path, header->name,
				      strnlen(header->name, sizeof header->name));
}

static int describe(struct tar_reader *reader, const struct tar_header *header, uint64_t size,
		    const struct extension *extension, struct tar_member *ret_member)
{
	uint64_t mode = 0, modified = 0;
	struct text path = { (const char *)reader->path.data, reader->path.length };
	bool slash = path.length && path.data[path.length - 1] == '/';
	bool file = header->type == '0' || header->type == '\0' || header->type == '7';

	if (!file && header->type != '5')
		return wrong(reader, header->type == '1' || header->type == '2'
					     ? "it has a link"
					     : "it has a member that is neither file nor folder");
	if (file && slash && header->type != '\0') /* an old folder is a file with a slash */
		return wrong(reader, "a file's name ends in a slash");
	if ((!file || slash) && size)
		return wrong(reader, "a folder has content");
	if (!read_number(header->mode, sizeof header->mode, &mode) ||
	    !read_number(header->modified, sizeof header->modified, &modified))
		return wrong(reader, "a header is damaged");
	if (slash)
		path.length--;
	*ret_member = (struct tar_member){
		.path = path,
		.type = file && !slash ? TAR_FILE : TAR_DIRECTORY,
		.executable = (mode & 0111) != 0,
		.size = size,
		.modified = (int64_t)(extension->has_modified ? extension->modified : modified),
		.content = reader->at,
	};
	return 1;
}

int tar_next(struct tar_reader *reader, struct tar_member *ret_member)
{
	struct extension extension = { 0 };

	for (;;) {
		const struct tar_header *header = (const void *)reader->at;
		uint64_t size;
		int got;

		/* An archive may end without the two empty blocks, but not inside one,
		 * and not after a header that speaks about a next member. */
		if (reader->left == 0 ||
		    (reader->left >= TAR_BLOCK && !memcmp(reader->at, zeros, TAR_BLOCK)))
			return extension.has_path || extension.has_size
				       ? wrong(reader, "it ends early")
				       : 0;
		if (reader->left < TAR_BLOCK)
			return wrong(reader, "it ends inside a header");
		if (!checksum_is_right(header))
			return wrong(reader, "a header's checksum is wrong");
		if (!read_number(header->size, sizeof header->size, &size))
			return wrong(reader, "a size is not a number");
		skip(reader, TAR_BLOCK);
		bool extends = header->type == 'x' || header->type == 'g' || header->type == 'L';
		if (!extends && extension.has_size)
			size = extension.size;
		if (size > reader->left)
			return wrong(reader, "it ends inside a member");
		got = read_extension(reader, header->type,
				     (struct text){ (const char *)reader->at, (size_t)size },
				     &extension);
		if (got == 0 && !extension.has_path)
			got = join_path(reader, header);
		if (got == 0)
			got = describe(reader, header, size, &extension, ret_member);
		else if (got == 1)
			got = 0; /* an extension: the member follows */
		skip(reader, size + tar_padding(size));
		if (got)
			return got;
	}
}

void tar_reader_free(struct tar_reader *reader)
{
	buffer_reset(&reader->path);
}

/* ---- writing ------------------------------------------------------------------------ */

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
	if (length <= TAR_NAME_BYTES)
		return 0;
	for (size_t i = path.length; i-- > 1;)
		if (path.data[i] == '/' && i <= TAR_PREFIX_BYTES &&
		    length - i - 1 <= TAR_NAME_BYTES)
			return (long)i;
	return -1;
}

static int put_header(struct buffer *out, char type, struct text prefix, struct text name,
		      bool slash, const struct tar_member *member, uint64_t size)
{
	struct tar_header header = { .type = type,
				     .magic = "ustar",
				     .version = { '0', '0' },
				     .checksum = { [7] = ' ' } /* behind a NUL */ };
	bool open = member->executable || member->type == TAR_DIRECTORY;
	int64_t sum_signed;

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
	snprintf(header.checksum, sizeof header.checksum, "%06o",
		 checksum_of(&header, &sum_signed));
	return buffer_append(out, &header, sizeof header);
}

/* "27 path=...\n": the length counts itself. `end`: what follows the value. */
static int put_record(struct buffer *records, const char *key, struct text value, const char *end)
{
	size_t rest = strlen(key) + value.length + strlen(end) + 2; /* space, equals sign */
	char head[48];
	size_t digits = 1, length;

	do {
		length = rest + digits;
	} while ((size_t)snprintf(head, sizeof head, "%zu", length) != digits && ++digits);
	int written = snprintf(head, sizeof head, "%zu %s=", length, key);
	int failed = buffer_append(records, head, (size_t)written);
	failed = failed ? failed : buffer_append(records, value.data, value.length);
	return failed ? failed : buffer_append(records, end, strlen(end));
}

static int put_pax(struct buffer *out, const struct tar_member *member, bool path, bool size)
{
	AUTO_BUFFER records = BUFFER_INIT(0);
	char digits[24];
	int failed = 0;

	if (path)
		failed = put_record(&records, "path", member->path,
				    member->type == TAR_DIRECTORY ? "/\n" : "\n");
	if (!failed && size) {
		snprintf(digits, sizeof digits, "%" PRIu64, member->size);
		failed = put_record(&records, "size", text_of(digits), "\n");
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
		name.length = TAR_NAME_BYTES - slash;
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
