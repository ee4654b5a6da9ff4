#include <errno.h>
#include <string.h>

#include "fcgi-app/files/tar.h"

/* What extension headers said about the next member. */
struct extension {
	bool has_path, has_size, has_modified;
	uint64_t size;
	int64_t modified;
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

/* Some writers summed signed characters: both sums are taken. */
static bool checksum_is_right(const struct tar_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	size_t from = offsetof(struct tar_header, checksum);
	uint64_t said, sum = 0;
	int64_t sum_signed = 0;

	for (size_t i = 0; i < sizeof *header; i++) {
		uint8_t byte = i >= from && i < from + sizeof header->checksum ? ' ' : bytes[i];

		sum += byte;
		sum_signed += (int8_t)byte;
	}
	return read_number(header->checksum, sizeof header->checksum, &said) &&
	       (said == sum || (int64_t)said == sum_signed);
}

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
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
		uint64_t seconds;

		if (point)
			value.length = (size_t)(point - value.data);
		extension->has_modified = read_decimal(value, &seconds);
		if (extension->has_modified)
			extension->modified = (int64_t)seconds;
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
		return failed ? failed : 1;
	case 'g': /* for all members: a comment, as git has it, and nothing else */
		failed = read_pax(reader, content, &ignored);
		if (!failed && (ignored.has_path || ignored.has_size))
			failed = wrong(reader, "a global header names a path or size");
		return failed ? failed : 1;
	case 'L':
		extension->has_path = true;
		failed = set_path(reader, content.data, strnlen(content.data, content.length));
		return failed ? failed : 1;
	default:
		return 0;
	}
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

static bool is_link(char type)
{
	return type == '1' || type == '2';
}

static int describe(struct tar_reader *reader, const struct tar_header *header, uint64_t size,
		    const struct extension *extension, struct tar_member *ret_member)
{
	uint64_t mode = 0, modified = 0;
	struct text path = { (const char *)reader->path.data, reader->path.length };
	bool slash = path.length && path.data[path.length - 1] == '/';
	bool file = header->type == '0' || header->type == '\0' || header->type == '7';

	if (!file && header->type != '5')
		return wrong(reader, is_link(header->type)
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
		.modified = extension->has_modified ? extension->modified : (int64_t)modified,
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
		if (reader->left == 0 || (reader->left >= TAR_BLOCK && is_zero(reader->at)))
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
