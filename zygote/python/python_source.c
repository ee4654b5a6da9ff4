#include "zygote/python/python_source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/message.h"
#include "common/owned.h"

#include <marshal.h> /* needs Python.h before it */

enum { CACHES_MAX = 2, CODE_BYTES_MAX = 4 << 20, READ_BYTES = 64 << 10 };

static PyObject *caches[CACHES_MAX];
static size_t caches_count;

/* What was remembered: a ring. */
static struct {
	PyObject *filename;
	size_t length;
} remembered[SOURCES_MAX];
static size_t oldest, kept, kept_bytes;

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
		if (PyDict_DelItem(caches[i], remembered[oldest].filename) < 0)
			PyErr_Clear();
	}
	kept_bytes -= remembered[oldest].length;
	Py_CLEAR(remembered[oldest].filename);
	oldest = (oldest + 1) % SOURCES_MAX;
	kept--;
}

void python_source_forget(void)
{
	while (kept)
		forget_oldest();
}

static void note(PyObject *filename, size_t length)
{
	while (kept && (kept == SOURCES_MAX || kept_bytes + length > SOURCES_BYTES_MAX))
		forget_oldest();

	size_t at = (oldest + kept) % SOURCES_MAX;
	remembered[at].filename = Py_NewRef(filename);
	remembered[at].length = length;
	kept_bytes += length;
	kept++;
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

/* -- Python that is compiled in ------------------------------------------------------------ */

/* In a process of its own: what compiling takes (2 MB) would else stay with the
 * zygote, and every fork would pay for its pages. */
static _Noreturn void compile_for(int output, const char *source, const char *filename)
{
	AUTO_OBJECT *code = Py_CompileString(source, filename, Py_file_input);
	AUTO_OBJECT *bytes = code ? PyMarshal_WriteObjectToString(code, Py_MARSHAL_VERSION) : NULL;

	_exit(!bytes ||
	      frame_write_all(output, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)));
}

static PyObject *read_code(int input)
{
	AUTO_BUFFER bytes = BUFFER_INIT(CODE_BYTES_MAX);
	ssize_t got;

	do {
		if (buffer_reserve(&bytes, READ_BYTES))
			return PyErr_NoMemory();
		got = read(input, bytes.data + bytes.length, READ_BYTES);
		bytes.length += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	return PyMarshal_ReadObjectFromString((const char *)bytes.data, (Py_ssize_t)bytes.length);
}

static PyObject *compile_source(const char *source, const char *filename)
{
	int ends[2], status = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return PyErr_SetFromErrno(PyExc_OSError);

	pid_t pid = fork();
	if (pid == 0)
		compile_for(ends[1], source, filename);
	close(ends[1]);

	PyObject *code = pid > 0 ? read_code(ends[0]) : NULL;
	close(ends[0]);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	if (status && !PyErr_Occurred())
		PyErr_Format(PyExc_SystemError, "%s cannot be compiled", filename);
	if (status)
		Py_CLEAR(code);
	return code;
}

PyObject *python_embedded_load(const char *source, const char *title)
{
	AUTO_OBJECT *names = PyDict_New();
	AUTO_OBJECT *builtins = PyDict_Copy(PyEval_GetBuiltins());
	AUTO_OBJECT *name = PyUnicode_FromString(title);
	AUTO_OBJECT *filename = PyUnicode_FromFormat("<%s>", title);

	if (!names || !builtins || !name || !filename ||
	    PyDict_SetItemString(names, "__builtins__", builtins) < 0 ||
	    PyDict_SetItemString(names, "__name__", name) < 0)
		return NULL;

	AUTO_OBJECT *code = compile_source(source, PyUnicode_AsUTF8(filename));
	AUTO_OBJECT *done = code ? PyEval_EvalCode(code, names, names) : NULL;

	return done ? take_object(&names) : NULL;
}

static void drop_traceback(void)
{
	PyObject *exception = python_error_take();

	if (!exception)
		return;
	PyException_SetTraceback(exception, Py_None);
	python_error_restore(exception);
}

PyObject *python_embedded_call(PyObject *namespace, const char *function, PyObject *first,
			       PyObject *second)
{
	PyObject *callable = PyDict_GetItemString(namespace, function);
	PyObject *answer = NULL;

	if (callable)
		answer = PyObject_CallFunctionObjArgs(callable, first, second, NULL);
	else
		PyErr_Format(PyExc_SystemError, "there is no embedded %s()", function);
	if (!answer)
		drop_traceback();
	return answer;
}
