/* Cases that are prepared or compared: from fields to judge.py, and back. */
#include "zygote/python/python_run.h"

#include "common/fields.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_source.h"

enum {
	TEXT_MAX = 16 << 10, /* bytes of a value that is shown, where there is room */
	TEXT_MIN = 16,       /* with less, nothing is shown */
	RESULT_BYTES = 128,  /* what a result takes besides texts, and more */
	TEXTS = 3,           /* GOT, EXPECTED, MESSAGE; or ARGUMENTS and MESSAGE */
};

/* What judge.py may answer, under the names of protocol_field_name(). */
static const unsigned result_tags[] = { FIELD_INDEX,    FIELD_PASSED,  FIELD_NEEDS_NAMES, FIELD_GOT,
					FIELD_EXPECTED, FIELD_MESSAGE, FIELD_ARGUMENTS };

static PyObject *read_value(const struct field_view *field)
{
	const char *bytes = (const char *)field->value;

	switch (protocol_field_type(field->tag)) {
	case FIELD_IS_NUMBER:
		return PyLong_FromUnsignedLongLong(field_number(field));
	case FIELD_IS_TEXT:
		return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)field->length, "replace");
	case FIELD_IS_BYTES:
		return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)field->length);
	case FIELD_IS_LIST:
	case FIELD_IS_UNKNOWN:
		break;
	}
	PyErr_SetString(PyExc_ValueError, "the job is malformed: no such field in a case");
	return NULL;
}

/* A case as a dict of its fields' names. */
static PyObject *read_case(const struct field_view *list)
{
	AUTO_OBJECT *result = PyDict_New();
	struct fields_reader reader;
	struct field_view field;
	int more = 0;

	fields_open(&reader, list->value, list->length);
	while (result && (more = fields_next(&reader, &field)) > 0) {
		AUTO_OBJECT *value = read_value(&field);

		if (!value ||
		    PyDict_SetItemString(result, protocol_field_name(field.tag), value) < 0)
			return NULL;
	}
	if (more < 0) {
		PyErr_SetString(PyExc_ValueError, "the job is malformed: a case is no list");
		return NULL;
	}
	return take_object(&result);
}

static void put_member(struct buffer *list, unsigned tag, PyObject *value, size_t longest)
{
	if (PyBytes_Check(value)) { /* whole or not at all */
		size_t length = (size_t)PyBytes_GET_SIZE(value);

		if (length <= longest)
			fields_put_bytes(list, tag, PyBytes_AS_STRING(value), length);
		return;
	}
	if (protocol_field_type(tag) != FIELD_IS_NUMBER) {
		if (longest) /* judge.py has cut the JSON to it: only messages are cut here */
			python_repr_put(list, tag, value, longest, REPORT_CUT_END);
		return;
	}

	unsigned long long number = PyLong_AsUnsignedLongLong(value);
	if (!PyErr_Occurred())
		fields_put_number(list, tag, number);
	PyErr_Clear();
}

/* A result for which there is no room is left out: not passed. */
static int put_result(struct buffer *report, PyObject *result, size_t longest)
{
	AUTO_BUFFER list = BUFFER_INIT(0);

	if (!PyDict_Check(result)) {
		PyErr_SetString(PyExc_SystemError, "judge.py gave no result");
		return -1;
	}
	for (size_t i = 0; i < sizeof result_tags / sizeof result_tags[0]; i++) {
		unsigned tag = result_tags[i];
		PyObject *value = PyDict_GetItemString(result, protocol_field_name(tag));

		if (value)
			put_member(&list, tag, value, longest);
	}
	fields_put_bytes(report, FIELD_CASE_RESULT, list.data, list.length);
	return 0;
}

/* So much each text may take that all results fit. */
static size_t share_room(const struct buffer *report, size_t cases)
{
	size_t room = report->limit ? report->limit - report->length : SIZE_MAX;
	size_t share = room / (cases + 1); /* one is for how the job ended */

	share = share > RESULT_BYTES ? (share - RESULT_BYTES) / TEXTS : 0;
	if (share > TEXT_MAX)
		return TEXT_MAX;
	return share < TEXT_MIN ? 0 : share;
}

static int count_cases(const struct job *job, size_t *ret_count)
{
	struct fields_reader reader;
	struct field_view field;
	size_t count = 0;
	int more;

	fields_open(&reader, job->code, job->code_length);
	while ((more = fields_next(&reader, &field)) > 0)
		count += field.tag == FIELD_CASE;
	if (more < 0) {
		PyErr_SetString(PyExc_ValueError, "the job is malformed: it is no list of cases");
		return -1;
	}
	*ret_count = count;
	return 0;
}

static int judge_one(const struct field_view *list, PyObject *namespace, const char *function,
		     size_t longest, struct buffer *report)
{
	AUTO_OBJECT *one = read_case(list);
	AUTO_OBJECT *limit = PyLong_FromSize_t(longest);
	AUTO_OBJECT *result =
		one && limit ? python_embedded_call(namespace, function, one, limit) : NULL;

	return result ? put_result(report, result, longest) : -1;
}

int python_judge_cases(const struct job *job, PyObject *namespace, const char *function,
		       struct buffer *report)
{
	struct fields_reader reader;
	struct field_view field;
	size_t count;

	if (count_cases(job, &count) < 0)
		return -1;

	size_t longest = share_room(report, count);
	fields_open(&reader, job->code, job->code_length);
	while (fields_next(&reader, &field) > 0) {
		if (field.tag == FIELD_CASE &&
		    judge_one(&field, namespace, function, longest, report) < 0)
			return -1;
	}
	return 0;
}
