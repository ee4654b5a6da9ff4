#include "zygote/python/python_judge.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/frame.h"
#include "zygote/python/judge_source.h"
#include "zygote/python/python_job.h"
#include "zygote/python/python_judge_parts.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_outcome.h"
#include "zygote/python/python_stdio.h"

#include <marshal.h> /* needs Python.h before it */

enum { CODE_BYTES_MAX = 4 << 20, READ_BYTES = 64 << 10 };

static PyObject *namespace; /* judge.py's, known to nobody else */

/* What tracebacks call the submission, as they do a script. */
static const char submission_file[] = "main.py", submission_name[] = "submission";

/* In a process of its own: what compiling takes (2 MB) would else stay with the
 * zygote, and every fork would pay for its pages. */
static _Noreturn void compile_for(int output)
{
	AUTO_OBJECT *code = Py_CompileString(judge_source, "<judge>", Py_file_input);
	AUTO_OBJECT *bytes = code ? PyMarshal_WriteObjectToString(code, Py_MARSHAL_VERSION) : NULL;

	_exit(!bytes || frame_write_all(output, PyBytes_AS_STRING(bytes),
					(size_t)PyBytes_GET_SIZE(bytes)));
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

static PyObject *compile_source(void)
{
	int ends[2], status = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return PyErr_SetFromErrno(PyExc_OSError);

	pid_t pid = fork();
	if (pid == 0)
		compile_for(ends[1]);
	close(ends[1]);

	PyObject *code = pid > 0 ? read_code(ends[0]) : NULL;
	close(ends[0]);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	if (status && !PyErr_Occurred())
		PyErr_SetString(PyExc_SystemError, "judge.py cannot be compiled");
	if (status)
		Py_CLEAR(code);
	return code;
}

int python_judge_prepare(void)
{
	AUTO_OBJECT *names = PyDict_New();
	AUTO_OBJECT *builtins = PyDict_Copy(PyEval_GetBuiltins());
	AUTO_OBJECT *title = PyUnicode_FromString("judge");

	if (!names || !builtins || !title ||
	    PyDict_SetItemString(names, "__builtins__", builtins) < 0 ||
	    PyDict_SetItemString(names, "__name__", title) < 0)
		return -1;

	AUTO_OBJECT *code = compile_source();
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
