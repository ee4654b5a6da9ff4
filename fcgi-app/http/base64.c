#include "fcgi-app/http/base64.h"

#include <errno.h>

/* The value of a digit, -1 for what is none. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct text text, struct buffer *out)
{
	size_t before = out->length;

	if (text.length % 4)
		return -EINVAL;
	if (buffer_reserve(out, text.length / 4 * 3))
		return -ENOMEM;
	for (size_t i = 0; i < text.length; i += 4) {
		const char *at = text.data + i;
		bool last = i + 4 == text.length;
		int padding = last && at[3] == '=' ? (at[2] == '=' ? 2 : 1) : 0;
		int values[4] = { digit(at[0]), digit(at[1]), padding == 2 ? 0 : digit(at[2]),
				  padding ? 0 : digit(at[3]) };

		if (values[0] < 0 || values[1] < 0 || values[2] < 0 || values[3] < 0 ||
		    (padding == 2 && values[1] & 15) || (padding == 1 && values[2] & 3)) {
			out->length = before;
			return -EINVAL;
		}
		uint32_t three = (uint32_t)values[0] << 18 | (uint32_t)values[1] << 12 |
				 (uint32_t)values[2] << 6 | (uint32_t)values[3];
		out->data[out->length++] = (uint8_t)(three >> 16);
		if (padding < 2)
			out->data[out->length++] = (uint8_t)(three >> 8);
		if (padding < 1)
			out->data[out->length++] = (uint8_t)three;
	}
	return 0;
}
