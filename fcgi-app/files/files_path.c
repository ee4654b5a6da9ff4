#include <errno.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/files/files.h"

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
