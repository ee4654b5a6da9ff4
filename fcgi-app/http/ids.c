#include "fcgi-app/http/ids.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool id_is_strict(struct text id)
{
	size_t length = strlen(ID_STRICT_PREFIX);

	return id.length >= length && !memcmp(id.data, ID_STRICT_PREFIX, length);
}

bool id_valid(struct text id)
{
	if (!id.data || id.length == 0 || id.length > ID_LENGTH_MAX || !is_alphanumeric(id.data[0]))
		return false;
	for (size_t i = 1; i < id.length; i++)
		if (!is_alphanumeric(id.data[i]) && id.data[i] != '.' && id.data[i] != '_' &&
		    id.data[i] != '-')
			return false;
	return !id_is_strict(id);
}

int id_make_uuid(char ret_uuid[UUID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	char *at = ret_uuid;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return -EIO;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof bytes; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	*at = '\0';
	return 0;
}
