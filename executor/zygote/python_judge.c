#include "python_judge.h"

#include "fields.h"
#include "judge_source.h"
#include "python_job.h"
#include "python_judge_parts.h"
#include "python_main.h"
#include "python_outcome.h"
#include "python_stdio.h"

static PyObject *namespace; /* judge.py's, known to nobody else */

/* What tracebacks call the submission, as they do a script. */
static const char submission_file[] = "main.py", submission_name[] = "submission";

int python_judge_prepare(void)
{
	AUTO_OBJECT *names = PyDict_New();
	AUTO_OBJECT *builtins = PyDict_Copy(PyEval_GetBuiltins());
	AUTO_OBJECT *title = PyUnicode_FromString("judge");

	if (!names || !builtins || !title ||
	    PyDict_SetItemString(names, "__builtins__", builtins) < 0 ||
	    PyDict_SetItemString(names, "__name__", title) < 0)
		return -1;

	AUTO_OBJECT *code = Py_CompileString(judge_source, "<judge>", Py_file_input);
	AUTO_OBJECT *done = code ? PyEval_EvalCode(code, names, names) : NULL;
	if (!done)
		return -1;
	namespace = take_object(&names);

	AUTO_OBJECT *warm = python_judge_ask("warm", NULL, NULL);
	return warm ? 0 : -1;
}

static void drop_traceback(void)
{
	PyObject *exception = python_error_take();

	if (!exception)
		return;
	PyException_SetTraceback(exception, Py_None);
	python_error_restore(exception);
}

PyObject *python_judge_ask(const char *function, PyObject *first, PyObject *second)
{
	PyObject *callable = PyDict_GetItemString(namespace, function);
	PyObject *answer = NULL;

	if (callable)
		answer = PyObject_CallFunctionObjArgs(callable, first, second, NULL);
	else
		PyErr_Format(PyExc_SystemError, "judge.py has no %s", function);
	if (!answer)
		drop_traceback();
	return answer;
}

PyObject *python_judge_text(const struct job *job, unsigned tag)
{
	struct field_view field;

	if (fields_find(job->code, job->code_length, tag, &field) == 1)
		return PyUnicode_DecodeUTF8((const char *)field.value, (Py_ssize_t)field.length,
					    "strict");
	PyErr_Format(PyExc_ValueError, "the job is malformed: it has no %s",
		     protocol_field_name(tag));
	return NULL;
}

bool python_judge_is_job(enum job_kind kind)
{
	return kind >= JOB_LOAD && kind <= JOB_COMPARE;
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
		return python_judge_call(job, report);
	case JOB_EXPECT:
		return python_judge_expect(job, report);
	case JOB_PREPARE:
		return python_judge_cases(job, "prepare_case", report);
	case JOB_COMPARE:
		return python_judge_cases(job, "compare_case", report);
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
		exit_code = python_outcome_ended(NULL, filename, report);
	else
		exit_code = python_outcome_raised(filename, report);
	/* forks go on from here: what is printed comes out once */
	python_stdio_end();
	return exit_code;
}
