#include "zygote/python/python_embedded.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/message.h"
#include "common/owned.h"

#include <marshal.h> /* needs Python.h before it */

enum { CODE_BYTES_MAX = 4 << 20, READ_BYTES = 64 << 10 };

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
