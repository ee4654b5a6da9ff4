#include "zygote/python/python_compile.h"

#include <stdbool.h>
#include <string.h>

#include "zygote/python/python_source.h"
#include "zygote/python/python_split.h"

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
	switch (is_divisible(code, length) ? python_split_last(code, length, &at) : SPLIT_UNSURE) {
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
