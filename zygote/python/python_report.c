#include "zygote/python/python_report.h"

#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "zygote/python/python_display.h"
#include "zygote/python/python_repr.h"
#include "zygote/python/python_stdio.h"
#include "zygote/python/python_traceback.h"

static const char ellipsis[] = "\xe2\x80\xa6";

static PyObject *without_nul(PyObject *text)
{
	if (PyUnicode_FindChar(text, 0, 0, PyUnicode_GET_LENGTH(text), 1) < 0)
		return Py_NewRef(text);

	AUTO_OBJECT *nul = PyUnicode_FromOrdinal(0);
	AUTO_OBJECT *other = PyUnicode_FromOrdinal(0xfffd);
	return nul && other ? PyUnicode_Replace(text, nul, other, -1) : NULL;
}

/* str -> UTF-8 in a bytes object, without surrogates and NULs. */
static PyObject *encode(PyObject *text)
{
	AUTO_OBJECT *clean = without_nul(text);

	return clean ? PyUnicode_AsEncodedString(clean, "utf-8", "backslashreplace") : NULL;
}

static size_t room(const struct buffer *report)
{
	size_t limit = report->limit ? report->limit : SIZE_MAX;
	size_t taken = report->length + FIELD_HEADER_BYTES;

	return limit > taken ? limit - taken : 0;
}

/* A field of text[0..head], between and text[tail..length]. */
static void put_parts(struct buffer *report, unsigned tag, const char *text, size_t head,
		      const char *between, size_t tail, size_t length)
{
	AUTO_BUFFER whole = BUFFER_INIT(0);

	if (buffer_append(&whole, text, head) == 0 &&
	    buffer_append(&whole, between, strlen(between)) == 0 &&
	    buffer_append(&whole, text + tail, length - tail) == 0)
		fields_put_bytes(report, tag, whole.data, whole.length);
}

static void put_cut_end(struct buffer *report, unsigned tag, const char *text, size_t length,
			size_t longest)
{
	if (longest < strlen(ellipsis))
		return;
	put_parts(report, tag, text, utf8_cut(text, length, longest - strlen(ellipsis)), ellipsis,
		  length, length);
}

static void put_cut_middle(struct buffer *report, unsigned tag, const char *text, size_t length,
			   size_t longest)
{
	char between[64];

	if (longest < sizeof between) {
		put_cut_end(report, tag, text, length, longest);
		return;
	}

	size_t half = (longest - sizeof between) / 2;
	size_t head = utf8_cut(text, length, half);
	size_t tail = length - utf8_tail(text, length, half);

	snprintf(between, sizeof between, "\n[... %zu bytes left out ...]\n", tail - head);
	put_parts(report, tag, text, head, between, tail, length);
}

void python_report_text(struct buffer *report, unsigned tag, PyObject *text, size_t longest,
			enum report_cut cut)
{
	if (!text || !PyUnicode_Check(text))
		return;

	AUTO_OBJECT *encoded = encode(text);
	if (!encoded) {
		PyErr_Clear();
		return;
	}

	const char *bytes = PyBytes_AS_STRING(encoded);
	size_t length = (size_t)PyBytes_GET_SIZE(encoded);

	if (longest > room(report))
		longest = room(report);
	if (length <= longest)
		fields_put_bytes(report, tag, bytes, length);
	else if (cut == REPORT_CUT_MIDDLE)
		put_cut_middle(report, tag, bytes, length, longest);
	else
		put_cut_end(report, tag, bytes, length, longest);
}

static PyObject *default_hook; /* sys.excepthook as it is at the start */

int python_report_prepare(void)
{
	default_hook = Py_XNewRef(PySys_GetObject("excepthook"));
	return default_hook ? 0 : -1;
}

static void say(const char *text)
{
	AUTO_OBJECT *object = PyUnicode_FromString(text);

	if (object)
		python_stdio_say(object);
	PyErr_Clear();
}

/* The program's own excepthook; what it raises is shown as python3 does. */
static void call_hook(PyObject *hook, PyObject *exception, PyObject *text)
{
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);
	AUTO_OBJECT *done = PyObject_CallFunctionObjArgs(hook, Py_TYPE(exception), exception,
							 traceback ? traceback : Py_None, NULL);
	AUTO_OBJECT *failure = done ? NULL : python_error_take();

	if (!failure || PyErr_GivenExceptionMatches(failure, PyExc_SystemExit))
		return;

	AUTO_OBJECT *failure_text = python_traceback_format(failure, NULL);
	say("Error in sys.excepthook:\n");
	if (failure_text)
		python_stdio_say(failure_text);
	say("\nOriginal exception was:\n");
	if (text)
		python_stdio_say(text);
}

static void show(PyObject *exception, PyObject *text)
{
	AUTO_OBJECT *hook = Py_XNewRef(PySys_GetObject("excepthook"));

	if (hook && hook != default_hook) {
		call_hook(hook, exception, text);
		return;
	}
	if (!hook)
		say("sys.excepthook is missing\n");
	if (text)
		python_stdio_say(text);
}

/* For pdb.pm() and traceback.print_last(). */
static void keep_last(PyObject *exception)
{
	AUTO_OBJECT *traceback = PyException_GetTraceback(exception);

	PySys_SetObject("last_type", (PyObject *)Py_TYPE(exception));
	PySys_SetObject("last_value", exception);
	PySys_SetObject("last_traceback", traceback ? traceback : Py_None);
#if PY_VERSION_HEX >= 0x030c0000
	PySys_SetObject("last_exc", exception);
#endif
	PyErr_Clear();
}

static int report_exception(PyObject *exception, PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *message = NULL;

	python_traceback_strip(exception, filename);

	AUTO_OBJECT *text = python_traceback_format(exception, &message);
	AUTO_OBJECT *type = python_traceback_type_name(exception);
	long line = python_traceback_line(exception, filename);

	keep_last(exception);
	python_stdio_push(); /* what was printed before comes before */
	show(exception, text);

	fields_put_number(report, FIELD_ENDED_BY, ENDED_BY_EXCEPTION);
	fields_put_number(report, FIELD_EXIT_CODE, 1);
	if (line)
		fields_put_number(report, FIELD_EXCEPTION_LINE, (uint64_t)line);
	python_report_text(report, FIELD_EXCEPTION_TYPE, type, REPORT_NAME_MAX, REPORT_CUT_END);
	python_report_text(report, FIELD_EXCEPTION_MESSAGE, message, REPORT_MESSAGE_MAX,
			   REPORT_CUT_END);
	python_report_text(report, FIELD_TRACEBACK, text, REPORT_TEXT_MAX, REPORT_CUT_MIDDLE);
	return 1;
}

/* sys.exit(value): nothing is 0, a number is the code as exit() takes it, and
 * anything else is printed and means 1. */
static int exit_code_of(PyObject *exception)
{
	AUTO_OBJECT *code = python_object_try(exception, "code");

	if (!code || code == Py_None)
		return 0;
	if (PyLong_Check(code)) {
		long number = PyLong_AsLong(code); /* -1 for what is too large, as CPython */

		PyErr_Clear();
		return (int)((unsigned long)number & 0xff);
	}

	AUTO_OBJECT *text = PyObject_Str(code);
	PyErr_Clear();
	if (text)
		python_stdio_say(text);
	say("\n");
	return 1;
}

static int report_exit(PyObject *exception, struct buffer *report)
{
	python_stdio_push();

	int code = exit_code_of(exception);

	fields_put_number(report, FIELD_ENDED_BY, ENDED_BY_EXIT);
	fields_put_number(report, FIELD_EXIT_CODE, (uint64_t)code);
	return code;
}

int python_report_raised(PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *exception = python_error_take();

	if (!exception) /* a C function failed without saying why */
		PyErr_SetString(PyExc_SystemError, "error return without exception set");
	if (!exception)
		exception = python_error_take();
	if (PyErr_GivenExceptionMatches(exception, PyExc_SystemExit))
		return report_exit(exception, report);
	return report_exception(exception, filename, report);
}

int python_report_ended(PyObject *value, PyObject *filename, struct buffer *report)
{
	AUTO_OBJECT *text =
		value && value != Py_None ? python_repr_bounded(value, REPORT_TEXT_MAX) : NULL;

	if (PyErr_Occurred())
		return python_report_raised(filename, report);
	fields_put_number(report, FIELD_ENDED_BY, ENDED_NORMALLY);
	fields_put_number(report, FIELD_EXIT_CODE, 0);
	python_report_text(report, FIELD_RESULT, text, REPORT_TEXT_MAX, REPORT_CUT_END);
	if (text)
		python_display_result(value, text);
	return 0;
}
