#include "zygote/python/python_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/owned.h"

enum { DESCRIPTORS = 3 };

/* The streams as CPython makes them (create_stdio() in pylifecycle.c). */
static const struct stream_rule {
	const char *name;     /* in sys */
	const char *original; /* what sys keeps as a way back */
	const char *label;
	const char *mode;
	const char *errors;
	bool line_buffering;
} rules[DESCRIPTORS] = {
	{ "stdin", "__stdin__", "<stdin>", "r", "surrogateescape", false },
	{ "stdout", "__stdout__", "<stdout>", "w", "surrogateescape", false },
	{ "stderr", "__stderr__", "<stderr>", "w", "backslashreplace", true },
};

static PyObject *type_file, *type_reader, *type_text; /* of _io: a program can patch io */
static PyObject *ours[DESCRIPTORS];                   /* the streams that we made last */
static PyObject *buffers[DESCRIPTORS];                /* what is below them, or NULL */
static PyObject *count_weak;                          /* _weakref.getweakrefcount */
static bool reads_null;                               /* our stdin was made for /dev/null */

struct pipes {
	int kept[DESCRIPTORS]; /* what was there before */
};

static int enter_one(struct pipes *pipes, int fd, int end)
{
	pipes->kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTORS);
	if (pipes->kept[fd] < 0 && errno != EBADF)
		return -errno;
	return dup2(end, fd) < 0 ? -errno : 0;
}

static int enter_pipes(struct pipes *pipes)
{
	int made[2];
	int error = 0;

	*pipes = (struct pipes){ { -1, -1, -1 } };
	if (pipe2(made, O_CLOEXEC) < 0)
		return -errno;

	AUTO_FD read_end = fcntl(made[0], F_DUPFD_CLOEXEC, DESCRIPTORS);
	AUTO_FD write_end = fcntl(made[1], F_DUPFD_CLOEXEC, DESCRIPTORS);
	close(made[0]);
	close(made[1]);
	if (read_end < 0 || write_end < 0)
		return -EMFILE;
	for (int fd = 0; fd < DESCRIPTORS && !error; fd++)
		error = enter_one(pipes, fd, fd == 0 ? read_end : write_end);
	return error;
}

static void leave_pipes(struct pipes *pipes)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		if (pipes->kept[fd] >= 0) {
			dup2(pipes->kept[fd], fd);
			close(pipes->kept[fd]);
		} else {
			close(fd);
		}
	}
}

static void take_over(int fd, PyObject *stream)
{
	Py_XSETREF(ours[fd], Py_XNewRef(stream));
	Py_XSETREF(buffers[fd], stream ? python_object_try(stream, "buffer") : NULL);
}

static PyObject *make_stream(int fd)
{
	const struct stream_rule *rule = &rules[fd];
	AUTO_OBJECT *raw =
		fd == 0 ? python_input_new_raw()
			: PyObject_CallFunction(type_file, "isO", fd, rule->mode, Py_False);
	AUTO_OBJECT *label = PyUnicode_FromString(rule->label);
	AUTO_OBJECT *mode = PyUnicode_FromString(rule->mode);
	if (!raw || !label || !mode || PyObject_SetAttrString(raw, "name", label) < 0)
		return NULL;

	AUTO_OBJECT *reader = fd == 0 ? PyObject_CallFunctionObjArgs(type_reader, raw, NULL) : NULL;
	AUTO_OBJECT *text = NULL;
	if (fd != 0)
		text = python_writer_new(fd, raw, rule->errors, rule->line_buffering);
	else if (reader)
		text = PyObject_CallFunction(type_text, "Osss", reader, "utf-8", rule->errors,
					     "\n");
	if (!text || PyObject_SetAttrString(text, "mode", mode) < 0)
		return NULL;
	return Py_NewRef(text);
}

/* What a job without input finds. */
static bool input_is_null(void)
{
	struct stat info;

	return fstat(STDIN_FILENO, &info) == 0 && S_ISCHR(info.st_mode) &&
	       info.st_rdev == makedev(1, 3);
}

/* A new stream in sys, in place of the program's or of our last one; None where
 * the descriptor is not open. */
static void renew(int fd)
{
	AUTO_OBJECT *stream = make_stream(fd);

	if (fd == 0)
		reads_null = !python_input_is_interactive() && input_is_null();
	PyErr_Clear();
	if (!stream)
		stream = Py_NewRef(Py_None);
	PySys_SetObject(rules[fd].name, stream);
	PySys_SetObject(rules[fd].original, stream);
	take_over(fd, stream);
	if (fd == 0)
		python_input_set_stream(stream);
	PyErr_Clear();
}

/* On pipes, so that the stream objects are made for these, which is what jobs have. */
static int make_all(void)
{
	struct pipes pipes;

	if (enter_pipes(&pipes) < 0) {
		PyErr_SetFromErrno(PyExc_OSError);
		return -1;
	}
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		renew(fd);
	leave_pipes(&pipes);
	return 0;
}

int python_stdio_prepare(void)
{
	AUTO_OBJECT *io = PyImport_ImportModule("_io");
	AUTO_OBJECT *weak = PyImport_ImportModule("_weakref");
	if (!io || !weak)
		return -1;

	type_file = PyObject_GetAttrString(io, "FileIO");
	type_reader = PyObject_GetAttrString(io, "BufferedReader");
	type_text = PyObject_GetAttrString(io, "TextIOWrapper");
	count_weak = PyObject_GetAttrString(weak, "getweakrefcount");
	if (!type_file || !type_reader || !type_text || !count_weak || python_text_prepare() < 0 ||
	    python_writer_prepare() < 0 || python_input_prepare() < 0)
		return -1;
	python_stdio_flush(); /* what a preload has printed into CPython's own */
	return make_all();
}

/* Is it a stream object whose `closed` says so? A detached text layer has no
 * answer and is as useless; a program's own object without the attribute is not. */
static bool is_closed(PyObject *stream)
{
	AUTO_OBJECT *closed = PyObject_GetAttrString(stream, "closed");
	int truth = closed ? PyObject_IsTrue(closed) : PyErr_ExceptionMatches(PyExc_ValueError);

	PyErr_Clear();
	return truth > 0;
}

static bool is_usable(PyObject *stream)
{
	return stream && stream != Py_None && !is_closed(stream);
}

/* Is what an earlier job left unread of no concern to this one? */
static bool has_own_input(enum job_kind kind)
{
	return kind == JOB_CELL || kind == JOB_LOAD || kind == JOB_CALL;
}

/* Would a new stream be no other than the one that nobody has touched? Making one
 * takes longer than all else that is done for a small cell. An input that has
 * bytes is another each time. */
static bool is_as_new(int fd)
{
	return ours[fd] && ours[fd] != Py_None && (fd != 0 || (reads_null && input_is_null()));
}

void python_stdio_begin(const struct job *job, bool quiet)
{
	bool asks = python_input_is_interactive() || job->interactive;

	python_text_begin(job->streaming, quiet);
	python_input_begin(job->interactive);
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		if (quiet && is_as_new(fd) && !(fd == 0 && asks))
			continue;

		PyObject *stream = PySys_GetObject(rules[fd].name);
		bool stale = fd == 0 && stream && stream == ours[fd] &&
			     (asks || (has_own_input(job->kind) && !is_as_new(fd)));

		if (stale || !is_usable(stream))
			renew(fd);
	}
}

/* False if output was lost; the error is then set. */
static bool flush(PyObject *stream)
{
	if (!is_usable(stream))
		return true;

	AUTO_OBJECT *held = Py_NewRef(stream); /* flush() may replace it in sys */
	AUTO_OBJECT *done = PyObject_CallMethod(held, "flush", NULL);
	return done != NULL;
}

static bool flush_stream(int fd)
{
	return flush(PySys_GetObject(rules[fd].name));
}

static void tell_lost_output(void)
{
#if PY_VERSION_HEX >= 0x030d0000
	PyErr_FormatUnraisable("Exception ignored on flushing sys.stdout");
#else
	PyErr_WriteUnraisable(PySys_GetObject("stdout"));
#endif
}

bool python_stdio_flush(void)
{
	bool out = flush_stream(STDOUT_FILENO);

	if (!out)
		tell_lost_output();

	bool err = flush_stream(STDERR_FILENO);

	PyErr_Clear();
	return out && err;
}

void python_stdio_push(void)
{
	flush_stream(STDOUT_FILENO);
	PyErr_Clear();
}

/* Ours too, where the program has put another in its place: it may have kept it. */
static void end_stream(int fd)
{
	bool replaced = PySys_GetObject(rules[fd].name) != ours[fd];

	if (replaced)
		flush_stream(fd);
	PyErr_Clear();
	if (flush(ours[fd]))
		return;
	PyErr_Clear();
	python_text_discard(fd);
	if (replaced)
		Py_CLEAR(ours[fd]);
	else
		renew(fd);
}

/* Has an object no attributes of its own, but for a text of this name (or NULL), and
 * nobody who waits for its end? */
static bool has_only(PyObject *object, const char *name)
{
	AUTO_OBJECT *attributes = PyObject_GenericGetDict(object, NULL);
	AUTO_OBJECT *weak = PyObject_CallOneArg(count_weak, object);
	PyObject *text = attributes && name ? PyDict_GetItemString(attributes, name) : NULL;

	PyErr_Clear();
	return attributes && weak && PyDict_GET_SIZE(attributes) == (name != NULL) &&
	       (!name || (text && PyUnicode_CheckExact(text))) && PyLong_AsLong(weak) == 0;
}

static bool is_untouched(int fd)
{
	PyObject *stream = ours[fd];

	if (!stream || PySys_GetObject(rules[fd].name) != stream ||
	    PySys_GetObject(rules[fd].original) != stream)
		return false;
	if (stream == Py_None)
		return true;

	/* make_stream() gives "mode" to the text and "name" to the lowest layer */
	AUTO_OBJECT *buffer = python_object_try(stream, "buffer");
	AUTO_OBJECT *lowest = buffer ? python_object_try(buffer, "raw") : NULL;
	return lowest && buffer == buffers[fd] && has_only(stream, "mode") &&
	       has_only(buffer, NULL) && has_only(lowest, "name");
}

bool python_stdio_is_untouched(void)
{
	return is_untouched(STDIN_FILENO) && is_untouched(STDOUT_FILENO) &&
	       is_untouched(STDERR_FILENO);
}

void python_stdio_end(void)
{
	end_stream(STDOUT_FILENO);
	end_stream(STDERR_FILENO);
	fflush(NULL); /* what C code printed */
}

static void write_descriptor(PyObject *text)
{
	AUTO_OBJECT *encoded = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	const char *at = encoded ? PyBytes_AS_STRING(encoded) : "";
	size_t left = encoded ? (size_t)PyBytes_GET_SIZE(encoded) : 0;

	PyErr_Clear();
	while (left) {
		ssize_t wrote = write(STDERR_FILENO, at, left);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return;
		at += wrote;
		left -= (size_t)wrote;
	}
}

void python_stdio_say(PyObject *text)
{
	AUTO_OBJECT *stream = Py_XNewRef(PySys_GetObject("stderr"));

	if (stream && stream != Py_None && PyFile_WriteObject(text, stream, Py_PRINT_RAW) == 0) {
		AUTO_OBJECT *done = PyObject_CallMethod(stream, "flush", NULL);

		PyErr_Clear();
		return;
	}
	PyErr_Clear();
	write_descriptor(text);
}
