#include "zygote/python/python_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* -- where the last statement begins, from the text alone -----------------------------
 *
 * To find the last expression, the source is parsed into trees of Python
 * objects, which costs more than compiling and running a small program. Most
 * programs end in a plain line, for which a look at the text is enough: without it a warm
 * `1+1` takes 17 % more CPU time, a one-shot print(1) 4 %. */

enum split {
	SPLIT_UNSURE,     /* it takes a parser to tell */
	SPLIT_STATEMENT,  /* the last statement is no expression, if the source is right */
	SPLIT_EXPRESSION, /* it may be one, and would begin at *ret_at */
};

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

/* What is said is true if the source compiles as a whole; and if code[0..at) and
 * code[at..length) compile each for itself, they are together the source: `at`
 * begins a logical line without indentation. No NUL may be in the source. */
static enum split split_text(const char *code, size_t length, size_t *ret_at)
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

/* -- compiling ----------------------------------------------------------------------- */

/* PyCF_* flags that a __future__ statement sets and that later code inherits. */
enum { FUTURE_FLAGS = PyCF_MASK };

static PyObject *compile_function;     /* builtins.compile: takes trees */
static PyObject *type_statement_value; /* ast.Expr: an expression as a statement */
static PyObject *type_expression;      /* ast.Expression: the tree of eval() */
static PyObject *text_body, *text_value, *text_exec, *text_eval;

int python_compile_prepare(void)
{
	AUTO_OBJECT *trees = PyImport_ImportModule("_ast");
	AUTO_OBJECT *builtins = PyImport_ImportModule("builtins");
	if (!trees || !builtins)
		return -1;

	compile_function = PyObject_GetAttrString(builtins, "compile");
	type_statement_value = PyObject_GetAttrString(trees, "Expr");
	type_expression = PyObject_GetAttrString(trees, "Expression");
	text_body = PyUnicode_InternFromString("body");
	text_value = PyUnicode_InternFromString("value");
	text_exec = PyUnicode_InternFromString("exec");
	text_eval = PyUnicode_InternFromString("eval");
	return compile_function && type_statement_value && type_expression && text_body &&
			       text_value && text_exec && text_eval
		       ? 0
		       : -1;
}

/* The compiler takes C strings: what follows a NUL would silently not run. */
static int refuse_nul(const char *code, size_t length, PyObject *filename)
{
	const char *nul = memchr(code, '\0', length);
	int line = 1;

	if (!nul)
		return 0;
	for (const char *at = code; at < nul; at++)
		line += *at == '\n';

	AUTO_OBJECT *details = Py_BuildValue("s(OiOO)", "source code cannot contain null bytes",
					     filename, line, Py_None, Py_None);
	if (details)
		PyErr_SetObject(PyExc_SyntaxError, details);
	return -1;
}

/* code[0..length), which need not end in a NUL, after `lines` empty lines. */
static PyObject *terminate(const char *code, size_t length, size_t lines)
{
	PyObject *text = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(lines + length));

	if (text) {
		memset(PyBytes_AS_STRING(text), '\n', lines);
		memcpy(PyBytes_AS_STRING(text) + lines, code, length);
	}
	return text;
}

static PyObject *compile_text(PyObject *text, PyObject *filename, int start, int flags)
{
	PyCompilerFlags how = { .cf_flags = flags | PyCF_SOURCE_IS_UTF8,
				.cf_feature_version = PY_MINOR_VERSION };

	return Py_CompileStringObject(PyBytes_AS_STRING(text), filename, start, &how, -1);
}

static size_t count_lines(const char *code, size_t length)
{
	size_t lines = 0;

	for (const char *at = code, *end = code + length;
	     (at = memchr(at, '\n', (size_t)(end - at))); at++)
		lines++;
	return lines;
}

/* The two parts compiled each for itself. False, without an error, if that does
 * not work: then the parser has to tell why. */
static bool compile_parts(const char *code, size_t length, size_t at, PyObject *filename, int flags,
			  struct program *ret_program)
{
	AUTO_PROGRAM program = { NULL, NULL };
	AUTO_OBJECT *head = terminate(code, at, 0);
	AUTO_OBJECT *tail = terminate(code + at, length - at, count_lines(code, at));

	if (head && tail)
		program.last =
			compile_text(tail, filename, Py_eval_input, flags | PyCF_IGNORE_COOKIE);
	if (program.last && at)
		program.body = compile_text(head, filename, Py_file_input, flags);
	if (PyErr_Occurred() || !program.last) {
		PyErr_Clear();
		return false;
	}
	*ret_program = program;
	program = (struct program){ NULL, NULL };
	return true;
}

static int compile_whole(const char *code, size_t length, PyObject *filename, int *flags,
			 struct program *ret_program)
{
	AUTO_OBJECT *text = terminate(code, length, 0);
	PyObject *body = text ? compile_text(text, filename, Py_file_input, *flags) : NULL;

	if (!body)
		return -1;
	*flags |= ((PyCodeObject *)body)->co_flags & FUTURE_FLAGS;
	*ret_program = (struct program){ body, NULL };
	return 0;
}

static PyObject *parse(const char *code, size_t length, PyObject *filename, int flags)
{
	AUTO_OBJECT *text = terminate(code, length, 0);

	return text ? compile_text(text, filename, Py_file_input, flags | PyCF_ONLY_AST) : NULL;
}

/* Take the last statement off `body` if it is an expression. 0 with *ret_tree
 * the tree to evaluate or NULL, or -1 with an error. */
static int split_last(PyObject *body, PyObject **ret_tree)
{
	Py_ssize_t count = PyList_GET_SIZE(body);

	*ret_tree = NULL;
	if (count == 0)
		return 0;

	PyObject *last = PyList_GET_ITEM(body, count - 1);
	if ((PyObject *)Py_TYPE(last) != type_statement_value)
		return 0;

	AUTO_OBJECT *value = PyObject_GetAttr(last, text_value);
	if (!value || PyList_SetSlice(body, count - 1, count, NULL) < 0)
		return -1;
	*ret_tree = PyObject_CallFunctionObjArgs(type_expression, value, NULL);
	return *ret_tree ? 0 : -1;
}

static PyObject *compile_tree(PyObject *tree, PyObject *filename, PyObject *mode, int flags)
{
	AUTO_OBJECT *number = PyLong_FromLong(flags & (FUTURE_FLAGS | PyCF_ALLOW_TOP_LEVEL_AWAIT));

	/* dont_inherit: there is no frame to inherit from */
	return number ? PyObject_CallFunctionObjArgs(compile_function, tree, filename, mode, number,
						     Py_True, NULL)
		      : NULL;
}

/* The way that always works: through the tree of the whole source. */
static int compile_trees(const char *code, size_t length, PyObject *filename, int *flags,
			 struct program *ret_program)
{
	AUTO_PROGRAM program = { NULL, NULL };
	AUTO_OBJECT *last = NULL;
	AUTO_OBJECT *tree = parse(code, length, filename, *flags);
	AUTO_OBJECT *body = tree ? PyObject_GetAttr(tree, text_body) : NULL;

	if (!body || split_last(body, &last) < 0)
		return -1;
	if (PyList_GET_SIZE(body)) {
		program.body = compile_tree(tree, filename, text_exec, *flags);
		if (!program.body)
			return -1;
		*flags |= ((PyCodeObject *)program.body)->co_flags & FUTURE_FLAGS;
	}
	if (last) {
		program.last = compile_tree(last, filename, text_eval, *flags);
		if (!program.last)
			return -1;
	}
	*ret_program = program;
	program = (struct program){ NULL, NULL };
	return 0;
}

/* What one part of a source says about how the other is to be read. */
static bool is_divisible(const char *code, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf", future[] = "__future__";

	return !python_source_has_cookie(code, length) &&
	       !(length >= strlen(mark) && memcmp(code, mark, strlen(mark)) == 0) &&
	       !memmem(code, length, future, strlen(future));
}

int python_compile_program(const char *code, size_t length, PyObject *filename, int *flags,
			   struct program *ret_program)
{
	size_t at;

	if (refuse_nul(code, length, filename) < 0)
		return -1;
	switch (is_divisible(code, length) ? split_text(code, length, &at) : SPLIT_UNSURE) {
	case SPLIT_STATEMENT:
		return compile_whole(code, length, filename, flags, ret_program);
	case SPLIT_EXPRESSION:
		if (compile_parts(code, length, at, filename, *flags, ret_program))
			return 0;
		break;
	case SPLIT_UNSURE:
		break;
	}
	return compile_trees(code, length, filename, flags, ret_program);
}

void python_compile_release(struct program *program)
{
	Py_CLEAR(program->body);
	Py_CLEAR(program->last);
}
