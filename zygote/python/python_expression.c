#include "zygote/python/python_main.h"

#include <stdint.h>
#include <string.h>

#define DIGITS "0123456789_"
#define HEX_DIGITS DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define WORD_BYTES DIGITS LETTERS

/* What came last. */
enum token {
	TOKEN_OPERATOR, /* or nothing yet, or an opening bracket */
	TOKEN_IS,
	TOKEN_OPERAND,
	TOKEN_NAME, /* or a subscript of one: what may have a subscript */
};

struct reader {
	const char *at; /* ends with a NUL */
	enum token last;
	unsigned depth;      /* of brackets */
	uint32_t subscripts; /* a bit for each depth whose bracket is one */
	bool (*is_fine)(const char *name, void *context);
	void *context;
};

/* The step functions give false for what they do not follow. An operand right
 * after another would be a call, a statement or a prefix of a string. */
static bool take_operand(struct reader *reader)
{
	/* "x is 1" makes the compiler warn */
	if (reader->last != TOKEN_OPERATOR)
		return false;
	reader->last = TOKEN_OPERAND;
	return true;
}

static bool take_operator(struct reader *reader, size_t length)
{
	bool is_expected = reader->last != TOKEN_IS;

	reader->at += length;
	reader->last = TOKEN_OPERATOR;
	/* an assignment, unless it is a comparison that was read as a whole */
	return is_expected && *reader->at != '=';
}

static bool read_number(struct reader *reader)
{
	const char *at = reader->at;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		at += 2 + strspn(at + 2, HEX_DIGITS);
	} else {
		at += strspn(at, DIGITS);
		if (*at == '.')
			at += 1 + strspn(at + 1, DIGITS);
		if (*at == 'e' || *at == 'E') {
			at += at[1] == '+' || at[1] == '-' ? 2 : 1;
			at += strspn(at, DIGITS);
		}
		if (*at == 'j')
			at++;
	}
	reader->at = at;
	/* "1.0.real" is an attribute, "1if" gives a warning */
	return *at != '.' && !(*at && strchr(WORD_BYTES, *at)) && take_operand(reader);
}

/* Only escapes that are the same in all versions, and import nothing. */
static bool read_string(struct reader *reader)
{
	char quote = *reader->at;
	const char *at = reader->at + 1;

	for (; *at != quote; at++) {
		if (*at == '\\' && (!*++at || !strchr("\\'\"nrt", *at)))
			return false;
		if (*at == '\0' || *at == '\n')
			return false;
	}
	reader->at = at + 1;
	/* three quotes, or a word right after it */
	if (*reader->at == quote || (*reader->at && strchr(WORD_BYTES, *reader->at)))
		return false;
	return take_operand(reader);
}

static bool read_name(struct reader *reader, const char *name)
{
	if (reader->last != TOKEN_OPERATOR && reader->last != TOKEN_IS)
		return false;
	reader->last = TOKEN_NAME;
	return name[0] != '_' && reader->is_fine(name, reader->context);
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0)
			return true;
	}
	return false;
}

#define IS_ONE_OF(word, words) is_one_of(word, words, sizeof(words) / sizeof *(words))

static bool read_word(struct reader *reader)
{
	static const char *const operators[] = { "and", "else", "if", "in", "or" };
	static const char *const constants[] = { "False", "True" };
	static const char *const others[] = {
		"as",     "assert", "async",  "await",    "break",   "class", "continue",
		"def",    "del",    "elif",   "except",   "finally", "for",   "from",
		"global", "import", "lambda", "nonlocal", "pass",    "raise", "return",
		"try",    "while",  "with",   "yield",
	};
	char word[EXPRESSION_LENGTH_MAX + 1];
	size_t size = strspn(reader->at, WORD_BYTES);

	memcpy(word, reader->at, size);
	word[size] = '\0';
	reader->at += size;
	if (*reader->at == '\'' || *reader->at == '"')
		return strcmp(word, "b") == 0 && read_string(reader);
	if (strcmp(word, "not") == 0) {
		if (reader->last != TOKEN_IS)
			reader->last = TOKEN_OPERATOR;
		return true;
	}
	if (strcmp(word, "is") == 0) {
		bool follows_name = reader->last == TOKEN_NAME;

		reader->last = TOKEN_IS;
		return follows_name;
	}
	if (strcmp(word, "None") == 0) {
		if (reader->last == TOKEN_IS)
			reader->last = TOKEN_OPERATOR;
		return take_operand(reader);
	}
	if (IS_ONE_OF(word, operators))
		return take_operator(reader, 0);
	if (IS_ONE_OF(word, constants))
		return take_operand(reader);
	return !IS_ONE_OF(word, others) && read_name(reader, word);
}

static bool open_bracket(struct reader *reader)
{
	bool subscript = *reader->at == '[' && reader->last == TOKEN_NAME;

	if ((!subscript && !take_operand(reader)) || reader->depth == EXPRESSION_DEPTH_MAX)
		return false;
	reader->depth++;
	reader->subscripts &= ~(UINT32_C(1) << reader->depth);
	reader->subscripts |= (uint32_t)subscript << reader->depth;
	reader->last = TOKEN_OPERATOR;
	reader->at++;
	return true;
}

static bool close_bracket(struct reader *reader)
{
	if (!reader->depth)
		return false;
	reader->last = reader->subscripts >> reader->depth & 1 ? TOKEN_NAME : TOKEN_OPERAND;
	reader->depth--;
	reader->at++;
	return true;
}

static bool read_operator(struct reader *reader)
{
	char first = reader->at[0], second = reader->at[1];

	switch (first) {
	case '=':
	case '!':
		return second == '=' && take_operator(reader, 2);
	case '<':
	case '>':
	case '*':
	case '/':
		if (second == '=' && (first == '<' || first == '>'))
			return take_operator(reader, 2);
		return take_operator(reader, second == first ? 2 : 1);
	case ':': /* outside of brackets it is an annotation */
		return reader->depth && take_operator(reader, 1);
	case '+':
	case '-':
	case '%':
	case '&':
	case '|':
	case '^':
	case ',':
		return take_operator(reader, 1);
	default: /* ~True gives a warning */
		return false;
	}
}

static bool read_token(struct reader *reader)
{
	char first = reader->at[0];

	if (strchr("0123456789", first) ||
	    (first == '.' && reader->at[1] >= '0' && reader->at[1] <= '9'))
		return read_number(reader);
	if (strchr("\"'", first))
		return read_string(reader);
	if (strchr(WORD_BYTES, first))
		return read_word(reader);
	if (strchr("([{", first))
		return open_bracket(reader);
	if (strchr(")]}", first))
		return close_bracket(reader);
	return read_operator(reader);
}

bool python_expression_is_simple(const char *code, size_t length,
				 bool (*is_fine)(const char *name, void *context), void *context)
{
	char text[EXPRESSION_LENGTH_MAX + 1];
	struct reader reader = { .at = text, .is_fine = is_fine, .context = context };

	while (length && strchr(" \t\n", code[length - 1]) && code[length - 1])
		length--;
	if (!length || length > EXPRESSION_LENGTH_MAX || memchr(code, '\0', length) ||
	    strchr(" \t", code[0]))
		return false;
	memcpy(text, code, length);
	text[length] = '\0';

	while (*reader.at) {
		if (strchr(" \t", *reader.at))
			reader.at++;
		else if (!read_token(&reader))
			return false;
	}
	return reader.depth == 0;
}
