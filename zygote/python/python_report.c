#include "zygote/python/python_report.h"

#include <stdio.h>
#include <string.h>

#include "common/fields.h"

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

/* The greatest place at or before `at` where a character begins. */
static size_t step_back(const char *text, size_t at)
{
	while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static size_t step_forward(const char *text, size_t at, size_t length)
{
	while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80)
		at++;
	return at;
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
	put_parts(report, tag, text, step_back(text, longest - strlen(ellipsis)), ellipsis, length,
		  length);
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
	size_t head = step_back(text, half);
	size_t tail = step_forward(text, length - half, length);

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
