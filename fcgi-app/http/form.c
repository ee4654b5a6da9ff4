#include "fcgi-app/http/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long form_decode(struct text source, bool plus, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < source.length; i++) {
		char c = source.data[i];

		if (c == '%') {
			int high = i + 2 < source.length ? hex_digit(source.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(source.data[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[length++] = c;
	}
	return (long)length;
}

/* Does `encoded` decode to `name`? Names are short; a longer one is another. */
static int name_matches(struct text encoded, const char *name)
{
	char decoded[64];
	long length;

	if (encoded.length > sizeof decoded)
		return 0;
	length = form_decode(encoded, true, decoded);
	if (length < 0)
		return (int)length;
	return (size_t)length == strlen(name) && !memcmp(decoded, name, (size_t)length);
}

static int decode_value(struct text encoded, struct text *ret_value, char **ret_storage)
{
	char *storage = malloc(encoded.length + 1);
	long length;

	if (!storage)
		return -ENOMEM;
	length = form_decode(encoded, true, storage);
	if (length < 0) {
		free(storage);
		return (int)length;
	}
	storage[length] = '\0';
	*ret_value = (struct text){ .data = storage, .length = (size_t)length };
	*ret_storage = storage;
	return 1;
}

int form_find(struct text list, const char *name, struct text *ret_value, char **ret_storage)
{
	const char *at = list.data;
	const char *end = at + list.length;

	while (at && at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		struct text key = { at, (size_t)((equals ? equals : stop) - at) };
		const char *value = equals ? equals + 1 : stop;

		int matches = name_matches(key, name);
		if (matches < 0)
			return matches;
		if (matches)
			return decode_value((struct text){ value, (size_t)(stop - value) },
					    ret_value, ret_storage);
		at = stop + 1;
	}
	return 0;
}
