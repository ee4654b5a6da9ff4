#include "zygote/python/python_split.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Words that begin a statement which is no expression, or go on with one. */
static const char *const statement_words[] = {
	"assert",   "async",  "break",   "class",  "continue", "def",    "del",  "elif",
	"else",     "except", "finally", "for",    "from",     "global", "if",   "import",
	"nonlocal", "pass",   "raise",   "return", "try",      "while",  "with",
};

static bool is_word_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool begins_with_statement_word(const char *line, size_t length)
{
	size_t size = 0;

	while (size < length && is_word_byte(line[size]))
		size++;
	for (size_t i = 0; i < sizeof statement_words / sizeof statement_words[0]; i++) {
		if (strlen(statement_words[i]) == size &&
		    memcmp(line, statement_words[i], size) == 0)
			return true;
	}
	return false;
}

/* Can a statement's first line begin so? Not blank, indented, a comment, or the
 * rest of something in brackets. */
static bool begins_statement(const char *line, const char *end)
{
	return line < end && !strchr(" \t\f\r\n#)]}", *line);
}

/* The last line that begins a statement, or -1. */
static long find_last_line(const char *code, size_t length)
{
	const char *end = code + length;

	while (end > code) {
		const char *newline = memrchr(code, '\n', (size_t)(end - code) - 1);
		const char *line = newline ? newline + 1 : code;

		if (begins_statement(line, code + length))
			return line - code;
		end = line;
	}
	return -1;
}

/* What a statement is made of, at the level outside of brackets. */
struct shape {
	bool unclear;    /* something that this simple reader does not follow */
	bool has_colon;  /* a suite, an annotation or a lambda */
	bool has_equals; /* an assignment, unless it has a colon too */
};

/* The place after the string that begins at `at`, or NULL if it is not plain. */
static const char *skip_string(const char *at, const char *end)
{
	char quote = *at;

	for (at++; at < end && *at != quote; at++) {
		if (*at == '\\')
			at++;
		if (at < end && *at == '\n')
			return NULL;
	}
	/* a word right after it: quotes within the braces of an f-string */
	return at < end && !(at + 1 < end && is_word_byte(at[1])) ? at + 1 : NULL;
}

static const char *skip_comment(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

/* Then the place where we begin may be inside of a string. */
static bool has_triple_quotes(const char *at, const char *end)
{
	size_t size = (size_t)(end - at);

	return memmem(at, size, "\"\"\"", 3) || memmem(at, size, "'''", 3);
}

static bool is_comparison(const char *at, const char *end)
{
	return (at + 1 < end && at[1] == '=') || strchr("=!<>", at[-1]);
}

static struct shape read_shape(const char *at, const char *end)
{
	struct shape shape = { false, false, false };
	const char *first = at;
	int depth = 0;

	while (at && at < end && depth >= 0) {
		if (strchr("\"'", *at)) {
			at = skip_string(at, end);
		} else if (*at == '#') {
			at = skip_comment(at, end);
		} else if (strchr("\\;\f", *at)) {
			at = NULL;
		} else {
			if (strchr("([{", *at))
				depth++;
			else if (strchr(")]}", *at))
				depth--;
			else if (depth == 0 && *at == ':')
				shape.has_colon = true;
			else if (depth == 0 && *at == '=' && at > first && !is_comparison(at, end))
				shape.has_equals = true;
			at++;
		}
	}
	shape.unclear = !at || depth != 0 || has_triple_quotes(first, end);
	return shape;
}

enum split python_split_last(const char *code, size_t length, size_t *ret_at)
{
	long at = find_last_line(code, length);

	if (at < 0 || memchr(code, '\r', length))
		return SPLIT_UNSURE;
	if (at >= 2 && code[at - 2] == '\\') /* the line before goes on in this one */
		return SPLIT_UNSURE;

	struct shape shape = read_shape(code + at, code + length);
	bool is_statement = begins_with_statement_word(code + at, length - (size_t)at);

	if (shape.unclear || (shape.has_colon && !is_statement))
		return SPLIT_UNSURE;
	if (is_statement || shape.has_equals)
		return SPLIT_STATEMENT;
	*ret_at = (size_t)at;
	return SPLIT_EXPRESSION;
}
