#include "zygote/python/python_run.h"

#include "common/fields.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_source.h"
#include "zygote/python/python_stdio.h"

#include <marshal.h> /* needs Python.h before it */

static PyObject *namespace; /* judge.py's */

/* Call a function of judge.py; `first` and `second` may be NULL. A new reference, or
 * NULL with an error, which has no traceback. */
static PyObject *ask(const char *function, PyObject *first, PyObject *second)
{
	return python_embedded_call(namespace, function, first, second);
}

int python_judge_prepare(void)
{
	namespace = python_embedded_load(embedded_judge, "judge");
	if (!namespace)
		return -1;

	AUTO_OBJECT *warm = ask("warm", NULL, NULL);
	return warm ? 0 : -1;
}

/* A field of the payload as a str. A new reference, or NULL with an error. */
static PyObject *payload_text(const struct job *job, unsigned tag)
{
	struct field_view field;

	if (fields_find(job->code, job->code_length, tag, &field) == 1)
		return PyUnicode_DecodeUTF8((const char *)field.value, (Py_ssize_t)field.length,
					    "strict");
	PyErr_Format(PyExc_ValueError, "the job is malformed: it has no %s",
		     protocol_field_name(tag));
	return NULL;
}

/* -- the jobs ----------------------------------------------------------------------------------- */

/* What tracebacks call the submission, as they do a script. */
static const char submission_file[] = "main.py", submission_name[] = "submission";

static PyObject *got; /* what the last call returned */
static bool got_is_data;

/* An expression in the submission's namespace. */
static PyObject *evaluate(const struct job *job, unsigned tag, const char *filename)
{
	PyObject *globals = python_main_globals();
	AUTO_OBJECT *text = payload_text(job, tag);
	AUTO_OBJECT *name = PyUnicode_FromString(filename);

	if (!text || !name)
		return NULL;
	if (!globals) {
		PyErr_SetString(PyExc_RuntimeError, "no submission is loaded");
		return NULL;
	}

	AUTO_OBJECT *code = ask("compile_expression", text, name);
	if (!code || python_main_mend() < 0)
		return NULL;
	return PyEval_EvalCode(code, globals, globals);
}

/* As a rule it is the name of a function, and needs no compiler; what is not found is
 * evaluated, for the error or for a builtin. */
static PyObject *find_entry_point(const struct job *job)
{
	AUTO_OBJECT *name = payload_text(job, FIELD_ENTRY_POINT);
	PyObject *globals = python_main_globals();
	PyObject *found =
		name && globals && PyUnicode_IS_ASCII(name) && PyUnicode_IsIdentifier(name)
			? PyDict_GetItemWithError(globals, name)
			: NULL;

	PyErr_Clear();
	if (!found)
		return evaluate(job, FIELD_ENTRY_POINT, "<entry point>");
	return python_main_mend() < 0 ? NULL : Py_NewRef(found);
}

/* Do the keywords fit a function's parameters, which begin at `given`? Only where that is
 * plain: see fit_input() in judge.py for the rest. */
static bool fits(PyFunctionObject *function, Py_ssize_t given, PyObject *keywords)
{
	const PyCodeObject *code = (PyCodeObject *)function->func_code;
	AUTO_OBJECT *names = PyObject_GetAttrString(function->func_code, "co_varnames");
	Py_ssize_t first = given > code->co_posonlyargcount ? given : code->co_posonlyargcount;
	Py_ssize_t end = code->co_argcount + code->co_kwonlyargcount, at = 0;
	PyObject *name, *value;

	if (!names || !PyTuple_CheckExact(names) || end > PyTuple_GET_SIZE(names))
		return false;
	while (PyDict_Next(keywords, &at, &name, &value)) {
		Py_ssize_t i = first;

		while (i < end && PyUnicode_Compare(PyTuple_GET_ITEM(names, i), name) != 0)
			i++;
		if (i >= end)
			return false;
	}
	return true;
}

/* The input without what the callable does not take. */
static PyObject *fit_input(PyObject *callable, PyObject *input)
{
	bool bound = PyMethod_Check(callable);
	PyObject *function = bound ? PyMethod_GET_FUNCTION(callable) : callable;
	PyObject *positional, *keywords;

	if (!PyArg_ParseTuple(input, "O!O!", &PyTuple_Type, &positional, &PyDict_Type, &keywords))
		return NULL;
	if (PyDict_GET_SIZE(keywords) == 0)
		return Py_NewRef(input);
	if (PyFunction_Check(function)) {
		PyFunctionObject *plain = (PyFunctionObject *)function;
		bool wraps = plain->func_dict && PyDict_GET_SIZE(plain->func_dict);

		if (!wraps && fits(plain, bound, keywords))
			return Py_NewRef(input);
		PyErr_Clear();
	}
	return ask("fit_input", callable, input);
}

/* No frame of ours is below the submission's. */
static PyObject *call_with(PyObject *callable, PyObject *input)
{
	PyObject *positional, *keywords;

	if (!PyArg_ParseTuple(input, "O!O!", &PyTuple_Type, &positional, &PyDict_Type, &keywords))
		return NULL;

	PyObject *value = PyObject_Call(callable, positional, keywords);
	if (!value || !PyCoro_CheckExact(value))
		return value;

	AUTO_OBJECT *coroutine = value;
	return python_job_await(coroutine);
}

/* A repr that raises is the value's fault, not the call's. */
static PyObject *repr(PyObject *value)
{
	PyObject *text = python_repr_bounded(value, REPORT_TEXT_MAX);

	if (text)
		return text;
	PyErr_Clear();
	text = PyUnicode_FromFormat("<%.200s object: its repr failed>", Py_TYPE(value)->tp_name);
	PyErr_Clear();
	return text;
}

/* The value as data under `tag`, true; else false, with REPR and perhaps MESSAGE. */
static bool put_value(struct buffer *report, unsigned tag, PyObject *value)
{
	AUTO_OBJECT *pair = ask("describe", value, NULL);
	PyObject *text = NULL, *why = NULL;
	Py_ssize_t length;

	if (!pair || !PyArg_ParseTuple(pair, "OO", &text, &why))
		PyErr_Clear();
	if (text && PyUnicode_Check(text)) {
		const char *bytes = PyUnicode_AsUTF8AndSize(text, &length);

		if (bytes && fields_put_bytes(report, tag, bytes, (size_t)length) == 0)
			return true;
		PyErr_Clear();
	}

	AUTO_OBJECT *shown = repr(value);
	python_repr_put(report, FIELD_REPR, shown, REPORT_TEXT_MAX, REPORT_CUT_END);
	python_repr_put(report, FIELD_MESSAGE, why, REPORT_MESSAGE_MAX, REPORT_CUT_END);
	return false;
}

/* (positional, keywords), read by who prepared the case if that went well. */
static PyObject *read_input(const struct job *job)
{
	struct field_view field;

	if (fields_find(job->code, job->code_length, FIELD_ARGUMENTS, &field) == 1) {
		PyObject *input = PyMarshal_ReadObjectFromString((const char *)field.value,
								 (Py_ssize_t)field.length);

		if (input && PyTuple_CheckExact(input))
			return input;
		Py_XDECREF(input);
		PyErr_Clear();
	}
	AUTO_OBJECT *text = payload_text(job, FIELD_CASE_INPUT);

	return text ? ask("parse_input", text, NULL) : NULL;
}

static int call(const struct job *job, struct buffer *report)
{
	AUTO_OBJECT *input = read_input(job);

	Py_CLEAR(got); /* no later EXPECT may take an earlier call's for this one's */

	AUTO_OBJECT *callable = input ? find_entry_point(job) : NULL;
	if (!callable)
		return -1;

	AUTO_OBJECT *fitting = fit_input(callable, input);
	got = fitting ? call_with(callable, fitting) : NULL;
	if (!got)
		return -1;
	got_is_data = put_value(report, FIELD_DATA, got);
	return 0;
}

/* "TypeError: text" of the current error, which is cleared. */
static PyObject *describe_error(void)
{
	AUTO_OBJECT *exception = python_error_take();
	AUTO_OBJECT *text = exception ? PyObject_Str(exception) : NULL;

	PyErr_Clear();
	return exception ? PyUnicode_FromFormat("got == expected raised %s: %V",
						Py_TYPE(exception)->tp_name, text, "")
			 : NULL;
}

static void put_equal(struct buffer *report, PyObject *expected)
{
	AUTO_OBJECT *answer = PyObject_RichCompare(got, expected, Py_EQ);
	int equal = answer ? PyObject_IsTrue(answer) : -1;

	if (equal < 0) {
		AUTO_OBJECT *message = describe_error();

		PyErr_Clear();
		python_repr_put(report, FIELD_MESSAGE, message, REPORT_MESSAGE_MAX, REPORT_CUT_END);
	}
	fields_put_number(report, FIELD_EQUAL, equal == 1);
}

static int expect(const struct job *job, struct buffer *report)
{
	if (!got) {
		PyErr_SetString(PyExc_RuntimeError, "there is no result to compare");
		return -1;
	}

	AUTO_OBJECT *expected = evaluate(job, FIELD_CASE_OUTPUT, "<expected output>");
	if (!expected)
		return -1;
	if (!put_value(report, FIELD_EXPECTED_DATA, expected) || !got_is_data)
		put_equal(report, expected);
	return 0;
}

/* As a module that a grader imports: `if __name__ == "__main__":` does not run,
 * and dataclasses, pickle and typing find the names by the module's. */
static int load(const struct job *job, PyObject *filename)
{
	int flags = 0;

	if (python_main_create(job->restricted) < 0 || python_main_rename(submission_name) < 0)
		return -1;

	AUTO_OBJECT *value = python_job_evaluate(job, filename, &flags);
	return value ? 0 : -1;
}

static int run(const struct job *job, PyObject *filename, struct buffer *report)
{
	switch (job->kind) {
	case JOB_LOAD:
		return load(job, filename);
	case JOB_CALL:
		return call(job, report);
	case JOB_EXPECT:
		return expect(job, report);
	case JOB_PREPARE:
		return python_judge_cases(job, namespace, "prepare_case", report);
	case JOB_COMPARE:
		return python_judge_cases(job, namespace, "compare_case", report);
	case JOB_SCRIPT:
	case JOB_CELL:
	case JOB_VARIABLES:
	case JOB_COMMAND:
		break;
	}
	PyErr_SetString(PyExc_SystemError, "no job of judging");
	return -1;
}

int python_judge_run(const struct job *job, struct buffer *report)
{
	AUTO_OBJECT *filename = PyUnicode_FromString(submission_file);
	int exit_code;

	if (filename && run(job, filename, report) == 0)
		exit_code = python_report_ended(NULL, filename, report);
	else
		exit_code = python_report_raised(filename, report);
	/* forks go on from here: what is printed comes out once */
	python_stdio_end();
	return exit_code;
}
