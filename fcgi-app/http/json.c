#include "fcgi-app/http/json.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* ---- is it JSON? -------------------------------------------------------------------- */

struct scan {
	const uint8_t *at, *end;
	const char *wrong;
	size_t values_left;
};

const char json_too_many[] = "there are too many values";

static bool fail(struct scan *scan, const char *wrong)
{
	if (!scan->wrong)
		scan->wrong = wrong;
	return false;
}

static void pass_space(struct scan *scan)
{
	scan->at = (const uint8_t *)skip_space((const char *)scan->at, (const char *)scan->end);
}

static int peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : -1;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool scan_digits(struct scan *scan)
{
	if (!is_digit(peek(scan)))
		return fail(scan, "a number lacks its digits");
	while (is_digit(peek(scan)))
		scan->at++;
	return true;
}

static bool scan_number(struct scan *scan)
{
	if (peek(scan) == '-')
		scan->at++;
	if (peek(scan) == '0') {
		scan->at++;
		if (is_digit(peek(scan)))
			return fail(scan, "a number starts with a zero");
	} else if (!scan_digits(scan)) {
		return false;
	}
	if (peek(scan) == '.') {
		scan->at++;
		if (!scan_digits(scan))
			return false;
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		scan->at++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->at++;
		return scan_digits(scan);
	}
	return true;
}

/* The four digits after \u, or -1. */
static int scan_hex4(struct scan *scan)
{
	int value = 0;

	if (scan->end - scan->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = *scan->at++;

		if (is_digit(c))
			value = value * 16 + c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static bool scan_unicode_escape(struct scan *scan)
{
	static const char half[] = "a \\u escape is half of a surrogate pair";
	int unit = scan_hex4(scan);

	if (unit < 0)
		return fail(scan, "a \\u escape lacks its four hexadecimal digits");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(scan, half);
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
		return fail(scan, half);
	scan->at += 2;
	unit = scan_hex4(scan);
	return (unit >= 0xdc00 && unit <= 0xdfff) || fail(scan, half);
}

static bool scan_escape(struct scan *scan)
{
	int c = peek(scan);

	if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == '\0')
		return fail(scan, "a backslash starts no known escape");
	scan->at++;
	return c != 'u' || scan_unicode_escape(scan);
}

static bool scan_string(struct scan *scan)
{
	if (peek(scan) != '"')
		return fail(scan, "a string in double quotes was expected");
	scan->at++;
	while (scan->at < scan->end) {
		uint8_t c = *scan->at;
		bool valid;

		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c < 0x20)
			return fail(scan, "a string holds a control character that is not escaped");
		if (c == '\\') {
			scan->at++;
			if (!scan_escape(scan))
				return false;
			continue;
		}
		if (c < 0x80) {
			scan->at++;
			continue;
		}
		size_t step = text_utf8_step(scan->at, (size_t)(scan->end - scan->at), &valid);
		if (!valid)
			return fail(scan, "a string is not valid UTF-8");
		scan->at += step;
	}
	return fail(scan, "a string does not end");
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length))
		return fail(scan, "a JSON value was expected");
	scan->at += length;
	return true;
}

/* json-c cuts a key at a NUL, so that it would pass for another one. */
static bool key_has_nul(const uint8_t *from, const uint8_t *to)
{
	for (; to - from >= 6; from += *from == '\\' ? 2 : 1)
		if (!memcmp(from, "\\u0000", 6))
			return true;
	return false;
}

static bool scan_key(struct scan *scan)
{
	const uint8_t *from = scan->at;

	if (!scan_string(scan))
		return false;
	return !key_has_nul(from, scan->at) || fail(scan, "a key holds a NUL character");
}

static bool scan_value(struct scan *scan, unsigned depth);

/* After the opening bracket; `object` members have a key each. */
static bool scan_members(struct scan *scan, unsigned depth, bool object)
{
	int close = object ? '}' : ']';

	pass_space(scan);
	if (peek(scan) == close) {
		scan->at++;
		return true;
	}
	for (;;) {
		pass_space(scan);
		if (object) {
			if (!scan_key(scan))
				return false;
			pass_space(scan);
			if (peek(scan) != ':')
				return fail(scan, "a colon was expected after a key");
			scan->at++;
		}
		if (!scan_value(scan, depth))
			return false;
		pass_space(scan);
		if (peek(scan) == close) {
			scan->at++;
			return true;
		}
		if (peek(scan) != ',')
			return fail(scan, "a comma or a closing bracket was expected");
		scan->at++;
	}
}

static bool scan_value(struct scan *scan, unsigned depth)
{
	if (!scan->values_left--)
		return fail(scan, json_too_many);
	pass_space(scan);
	switch (peek(scan)) {
	case '{':
	case '[':
		if (depth >= JSON_DEPTH_MAX)
			return fail(scan, "the nesting is deeper than 32");
		return scan_members(scan, depth + 1, *scan->at++ == '{');
	case '"':
		return scan_string(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	case -1:
		return fail(scan, "the text ends where a value was expected");
	default:
		if (peek(scan) != '-' && !is_digit(peek(scan)))
			return fail(scan, "a JSON value was expected");
		return scan_number(scan);
	}
}

const char *json_check(const void *text, size_t length, size_t *ret_offset)
{
	return json_check_counted(text, length, SIZE_MAX, ret_offset);
}

const char *json_check_counted(const void *text, size_t length, size_t most_values,
			       size_t *ret_offset)
{
	struct scan scan = { .at = text,
			     .end = (const uint8_t *)text + length,
			     .values_left = most_values };

	if (scan_value(&scan, 0)) {
		pass_space(&scan);
		if (scan.at < scan.end)
			fail(&scan, "something follows the value");
	}
	*ret_offset = (size_t)(scan.at - (const uint8_t *)text);
	return scan.wrong;
}

/* ---- looking into it: of each step only the end is looked for ---------------------- */

/* From the opening quote to behind the closing one: the first that an even number of
 * backslashes comes before. A program of a megabyte is passed once for each member. */
static const char *skip_string(const char *at, const char *end)
{
	const char *quote = at, *back;

	do {
		quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
		if (!quote)
			return end;
		for (back = quote; back[-1] == '\\' && back - 1 > at;)
			back--;
	} while ((quote - back) % 2);
	return quote + 1;
}

static const char *skip_value(const char *at, const char *end)
{
	unsigned depth = 0;

	do {
		if (at == end)
			return end;
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		depth += *at == '{' || *at == '[';
		if (!depth) { /* a number or a word */
			while (at < end && !memchr(",]} \t\n\r", *at, 7))
				at++;
			return at;
		}
		depth -= *at == '}' || *at == ']';
		at++;
	} while (depth);
	return at;
}

bool json_walk_open(struct text value, struct json_walk *ret_walk)
{
	const char *end = value.data + value.length;
	const char *at = skip_space(value.data, end);

	if (at == end || (*at != '{' && *at != '['))
		return false;
	*ret_walk = (struct json_walk){ .at = at + 1, .end = end, .object = *at == '{' };
	return true;
}

bool json_walk_next(struct json_walk *walk, struct text *ret_key, struct text *ret_value)
{
	const char *at = skip_space(walk->at, walk->end);
	const char *from;

	if (at < walk->end && *at == ',')
		at = skip_space(at + 1, walk->end);
	if (at == walk->end || *at == '}' || *at == ']')
		return false;
	*ret_key = (struct text){ 0 };
	if (walk->object) {
		from = at;
		at = skip_string(at, walk->end);
		*ret_key = (struct text){ from + 1, (size_t)(at - from) - 2 };
		at = skip_space(at, walk->end);
		at = skip_space(at + (at < walk->end), walk->end); /* the colon */
	}
	from = at;
	at = skip_value(at, walk->end);
	*ret_value = (struct text){ from, (size_t)(at - from) };
	walk->at = at;
	return true;
}

/* The next character of a checked string, an escape or a byte; -1 for an escape that is
 * none of ASCII. */
static int next_character(const char **at)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char digits[5] = "", c = *(*at)++;

	if (c != '\\')
		return (uint8_t)c;
	c = *(*at)++;
	if (c != 'u')
		return meant[strchr(letters, c) - letters];
	memcpy(digits, *at, 4);
	*at += 4;
	long unit = strtol(digits, NULL, 16);
	return unit < 0x80 ? (int)unit : -1;
}

bool json_key_is(struct text key, const char *name)
{
	const char *at = key.data, *end = at + key.length;

	while (at < end && *name)
		if (next_character(&at) != (uint8_t)*name++)
			return false;
	return at == end && !*name;
}

bool json_member(struct text object, const char *name, struct text *ret_value)
{
	struct json_walk walk;
	struct text key, value;
	bool found = false;

	if (!json_walk_open(object, &walk) || !walk.object)
		return false;
	while (json_walk_next(&walk, &key, &value)) {
		if (!json_key_is(key, name))
			continue;
		*ret_value = value;
		found = true;
	}
	return found;
}
