#include "zygote/python/python_source.h"

#include <stdlib.h>
#include <string.h>

#include "common/owned.h"

enum { CACHES_MAX = 2 };

static PyObject *caches[CACHES_MAX];
static size_t caches_count;

/* What was remembered, oldest at `first`: a ring. */
static struct {
	PyObject *filename;
	size_t length;
} remembered[SOURCES_MAX];
static size_t first, count, bytes;

int python_source_add_cache(PyObject *cache)
{
	if (caches_count == CACHES_MAX || !PyDict_Check(cache)) {
		PyErr_SetString(PyExc_TypeError, "linecache.cache is not what it was");
		return -1;
	}
	caches[caches_count++] = Py_NewRef(cache);
	return 0;
}

static void forget_oldest(void)
{
	for (size_t i = 0; i < caches_count; i++) {
		if (PyDict_DelItem(caches[i], remembered[first].filename) < 0)
			PyErr_Clear();
	}
	bytes -= remembered[first].length;
	Py_CLEAR(remembered[first].filename);
	first = (first + 1) % SOURCES_MAX;
	count--;
}

void python_source_forget(void)
{
	while (count)
		forget_oldest();
}

static void note(PyObject *filename, size_t length)
{
	while (count && (count == SOURCES_MAX || bytes + length > SOURCES_BYTES_MAX))
		forget_oldest();

	size_t at = (first + count) % SOURCES_MAX;
	remembered[at].filename = Py_NewRef(filename);
	remembered[at].length = length;
	bytes += length;
	count++;
}

bool python_source_has_cookie(const char *code, size_t length)
{
	const char *end = code + length;

	for (int line = 0; line < 2 && code < end; line++) {
		const char *stop = memchr(code, '\n', (size_t)(end - code));
		size_t size = (size_t)((stop ? stop : end) - code);

		if (memmem(code, size, "coding", strlen("coding")))
			return true;
		code += size + 1;
	}
	return false;
}

/* The text that the cookie's codec makes of the bytes, as UTF-8 in a bytes object. */
static PyObject *recode(const char *code, size_t length)
{
	AUTO_OBJECT *loaders = PyImport_ImportModule("importlib._bootstrap_external");
	AUTO_OBJECT *text = loaders ? PyObject_CallMethod(loaders, "decode_source", "y#", code,
							  (Py_ssize_t)length)
				    : NULL;
	return text ? PyUnicode_AsEncodedString(text, "utf-8", "replace") : NULL;
}

/* Copy with every kind of line end as \n, and one at the end. The caller frees. */
static char *normalise(const char *code, size_t length, size_t *ret_length)
{
	char *text = malloc(length + 1);
	size_t to = 0;

	if (!text)
		return NULL;
	for (size_t from = 0; from < length; from++) {
		if (code[from] != '\r')
			text[to++] = code[from];
		else if (from + 1 == length || code[from + 1] != '\n')
			text[to++] = '\n';
	}
	if (to && text[to - 1] != '\n')
		text[to++] = '\n';
	*ret_length = to;
	return text;
}

/* A list of str, each with its newline. */
static PyObject *split_lines(const char *code, size_t length)
{
	size_t left;
	AUTO_FREE char *text = normalise(code, length, &left);
	AUTO_OBJECT *lines = text ? PyList_New(0) : NULL;

	for (const char *at = text; lines && left;) {
		size_t size = (size_t)((const char *)memchr(at, '\n', left) + 1 - at);
		AUTO_OBJECT *line = PyUnicode_DecodeUTF8(at, (Py_ssize_t)size, "replace");

		if (!line || PyList_Append(lines, line) < 0)
			return NULL;
		at += size;
		left -= size;
	}
	return Py_XNewRef(lines);
}

/* What linecache keeps of a file: (size, mtime, lines, full name). */
static PyObject *make_entry(PyObject *filename, const char *code, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf";
	AUTO_OBJECT *recoded = python_source_has_cookie(code, length) ? recode(code, length) : NULL;

	PyErr_Clear(); /* an unknown codec: the compiler will say so */
	if (recoded) {
		code = PyBytes_AS_STRING(recoded);
		length = (size_t)PyBytes_GET_SIZE(recoded);
	} else if (length >= strlen(mark) && memcmp(code, mark, strlen(mark)) == 0) {
		code += strlen(mark);
		length -= strlen(mark);
	}

	AUTO_OBJECT *lines = split_lines(code, length);
	return lines ? Py_BuildValue("nOOO", (Py_ssize_t)length, Py_None, lines, filename) : NULL;
}

void python_source_remember(PyObject *filename, const char *code, size_t length)
{
	AUTO_OBJECT *entry = make_entry(filename, code, length);

	if (entry) {
		note(filename, length);
		for (size_t i = 0; i < caches_count; i++) {
			if (PyDict_SetItem(caches[i], filename, entry) < 0)
				PyErr_Clear();
		}
	}
	PyErr_Clear();
}

PyObject *python_source_line(PyObject *filename, long line)
{
	PyObject *entry = caches_count ? PyDict_GetItem(caches[caches_count - 1], filename) : NULL;
	PyObject *lines = entry && PyTuple_Check(entry) && PyTuple_GET_SIZE(entry) == 4
				  ? PyTuple_GET_ITEM(entry, 2)
				  : NULL;

	if (!lines || !PyList_Check(lines) || line < 1 || line > PyList_GET_SIZE(lines))
		return NULL;
	return Py_NewRef(PyList_GET_ITEM(lines, line - 1));
}
