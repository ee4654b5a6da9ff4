#include "zygote/python/python_report.h"

#include <unistd.h>

#include "common/mailbox.h"
#include "common/spawn.h"
#include "zygote/python/python_host.h"
#include "zygote/python/python_source.h"
#include "zygote/python/python_stdio.h"

enum { TEXT_MAX = 64 << 10 /* characters of text/plain */ };

static PyObject *namespace;     /* display.py's */
static PyObject *late;          /* list: what threads have shown, for the main thread to tell */
static PyObject *show_function; /* display.py's pyplot_show: matplotlib wants no C function */
static PyObject *shown_by;      /* the pyplot module whose show() is ours; not owned */
static size_t displays, bytes;

/* -- one output --------------------------------------------------------------------------- */

static int check_room(Py_ssize_t length)
{
	if (length > MAILBOX_REPORT_MAX)
		PyErr_Format(PyExc_ValueError,
			     "display: the output has %zd bytes, and may have at most %d", length,
			     MAILBOX_REPORT_MAX);
	else if (displays >= DISPLAYS_MAX)
		PyErr_Format(PyExc_ValueError, "display: at most %d outputs can be shown",
			     DISPLAYS_MAX);
	else if (bytes + (size_t)length > DISPLAY_BYTES_MAX)
		PyErr_Format(PyExc_ValueError,
			     "display: all outputs together may have at most %d bytes",
			     DISPLAY_BYTES_MAX);
	return PyErr_Occurred() ? -1 : 0;
}

static int tell(PyObject *json)
{
	python_stdio_push();
	return python_host_tell(NOTE_DISPLAY, 0, PyBytes_AS_STRING(json),
				(size_t)PyBytes_GET_SIZE(json)) < 0
		       ? -1
		       : 0;
}

static int tell_late(void *nothing)
{
	(void)nothing;
	while (PyList_GET_SIZE(late) && python_host_is_here()) {
		AUTO_OBJECT *json = Py_NewRef(PyList_GET_ITEM(late, 0));

		if (PyList_SetSlice(late, 0, 1, NULL) < 0 || tell(json))
			return -1;
	}
	return 0;
}

static int show_json(PyObject *json)
{
	if (!PyBytes_Check(json) || check_room(PyBytes_GET_SIZE(json)))
		return -1;
	displays++;
	bytes += (size_t)PyBytes_GET_SIZE(json);
	if (python_host_is_main_thread())
		return tell_late(NULL) ? -1 : tell(json);
	if (PyList_Append(late, json) < 0)
		return -1;
	(void)Py_AddPendingCall(tell_late, NULL); /* else at the job's end */
	return 0;
}

/* Steals `json`: NULL with an error, or None for nothing. */
static int show_made(PyObject *json)
{
	AUTO_OBJECT *owned = json;

	if (!owned)
		return -1;
	return owned == Py_None ? 0 : show_json(owned);
}

/* -- display() ------------------------------------------------------------------------------ */

static int check_keywords(PyObject *keywords)
{
	static const char *const known[] = { "include", "exclude", "metadata", "raw" };
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (keywords && PyDict_Next(keywords, &at, &name, &value)) {
		bool is_known = false;

		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			is_known |= PyUnicode_CompareWithASCIIString(name, known[i]) == 0;
		if (!is_known) {
			PyErr_Format(PyExc_TypeError,
				     "display() got an unexpected keyword argument '%U'", name);
			return -1;
		}
	}
	return 0;
}

/* A child of the program has text only. */
static int print_plainly(PyObject *object)
{
	AUTO_OBJECT *stream = Py_XNewRef(PySys_GetObject("stdout"));

	if (!stream || stream == Py_None)
		return 0;
	if (PyFile_WriteObject(object, stream, 0) < 0)
		return -1;
	return PyFile_WriteString("\n", stream);
}

static PyObject *display(PyObject *self, PyObject *args, PyObject *keywords)
{
	AUTO_OBJECT *options = keywords ? Py_NewRef(keywords) : PyDict_New();

	(void)self;
	if (!options || check_keywords(keywords) < 0)
		return NULL;
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) {
		PyObject *object = PyTuple_GET_ITEM(args, i);

		if (!python_host_is_here()) {
			if (print_plainly(object) < 0)
				return NULL;
			continue;
		}
		if (show_made(python_embedded_call(namespace, "show", object, options)))
			return NULL;
	}
	Py_RETURN_NONE;
}

/* -- what is shown without a call ------------------------------------------------------------ */

static void say_error(void)
{
	AUTO_OBJECT *exception = python_error_take();
	AUTO_OBJECT *text = exception ? python_traceback_format(exception, NULL) : NULL;

	if (text)
		python_stdio_say(text);
	PyErr_Clear();
}

void python_display_result(PyObject *value, PyObject *text)
{
	/* what is written in C and has no class of its own has no representations either */
	if (!PyType_HasFeature(Py_TYPE(value), Py_TPFLAGS_HEAPTYPE) || !python_host_is_here())
		return;
	if (show_made(python_embedded_call(namespace, "result", value, text)))
		say_error();
}

/* Borrowed; NULL where matplotlib has made no figure. */
static PyObject *figure_managers(void)
{
	PyObject *helpers = python_object_module("matplotlib._pylab_helpers");
	AUTO_OBJECT *keeper = helpers ? python_object_try(helpers, "Gcf") : NULL;
	AUTO_OBJECT *figures = keeper ? python_object_try(keeper, "figs") : NULL;

	/* the class keeps it */
	return figures && PyDict_Check(figures) && PyDict_GET_SIZE(figures) ? figures : NULL;
}

static int show_figures(void)
{
	if (!figure_managers() || !python_host_is_here())
		return 0;

	AUTO_OBJECT *list = python_embedded_call(namespace, "figures", NULL, NULL);
	AUTO_OBJECT *options = PyDict_New();

	for (Py_ssize_t i = 0; list && options && i < PyList_GET_SIZE(list); i++) {
		if (show_made(python_embedded_call(namespace, "show", PyList_GET_ITEM(list, i),
						   options)))
			return -1;
	}
	return list && options ? 0 : -1;
}

/* pyplot.show(): without a screen it does nothing, and the next plot lands on the same
 * figure. */
static PyObject *show_figures_now(PyObject *self, PyObject *nothing)
{
	(void)self, (void)nothing;
	if (show_figures() < 0)
		return NULL;
	Py_RETURN_NONE;
}

static void take_show(void)
{
	PyObject *module = python_object_module("matplotlib.pyplot");

	if (module && module != shown_by &&
	    PyObject_SetAttrString(module, "show", show_function) == 0)
		shown_by = module;
	PyErr_Clear();
}

void python_display_begin(void)
{
	displays = bytes = 0;
}

void python_display_end(void)
{
	if (tell_late(NULL) || show_figures())
		say_error();
	take_show();
}

/* -- preparing -------------------------------------------------------------------------------- */

static PyObject *plain_text(PyObject *self, PyObject *object)
{
	AUTO_OBJECT *text = python_repr_bounded(object, TEXT_MAX);

	(void)self;
	return text ? PyUnicode_Substring(text, 0, TEXT_MAX) : NULL;
}

static PyObject *complain(PyObject *self, PyObject *exception)
{
	AUTO_OBJECT *text = python_traceback_format(exception, NULL);

	(void)self;
	if (text)
		python_stdio_say(text);
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{ "plain_text", plain_text, METH_O, NULL },
	{ "complain", complain, METH_O, NULL },
	{ "show_figures", show_figures_now, METH_NOARGS, NULL },
};

static PyMethodDef display_method = {
	"display", PYTHON_WITH_KEYWORDS(display), METH_VARARGS | METH_KEYWORDS,
	"display(*objects, include=None, exclude=None, metadata=None, raw=False)\n\n"
	"Show objects by their representations (_repr_html_, _repr_png_, ...)."
};

int python_display_prepare(void)
{
	namespace = python_embedded_load(embedded_display, "display");
	late = PyList_New(0);
	if (!namespace || !late)
		return -1;
	show_function = Py_XNewRef(PyDict_GetItemString(namespace, "pyplot_show"));
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		AUTO_OBJECT *function = PyCFunction_New(&functions[i], NULL);

		if (!function ||
		    PyDict_SetItemString(namespace, functions[i].ml_name, function) < 0)
			return -1;
	}

	AUTO_OBJECT *function = PyCFunction_New(&display_method, NULL);
	if (!function || PyDict_SetItemString(PyEval_GetBuiltins(), "display", function) < 0)
		return -1;
	take_show();
	return 0;
}
