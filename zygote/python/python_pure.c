#include "zygote/python/python_main.h"

#include <sys/single_threaded.h>

#include "zygote/python/python_host.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_stdio.h"

/* How far the values of a cell's names are looked into. */
enum { OBJECTS_MAX = 64, NESTED_MAX = 4 };

static PyObject *collector_is_on, *collector_on, *collector_off, *collector_stats; /* of gc */
static PyObject *monitored_events; /* sys.monitoring.get_events, or NULL */
static long collections;           /* so many were there when we looked last */
static bool collector_was_on;
static bool expected; /* the job will be pure */
static bool quiet;    /* see python_pure_is_quiet() */

int python_pure_prepare(void)
{
	AUTO_OBJECT *collector = PyImport_ImportModule("gc");
	PyObject *monitoring = PySys_GetObject("monitoring"); /* since 3.12 */
	if (!collector)
		return -1;

	collector_is_on = PyObject_GetAttrString(collector, "isenabled");
	collector_on = PyObject_GetAttrString(collector, "enable");
	collector_off = PyObject_GetAttrString(collector, "disable");
	collector_stats = PyObject_GetAttrString(collector, "get_stats");
	if (monitoring)
		monitored_events = PyObject_GetAttrString(monitoring, "get_events");
	return collector_is_on && collector_on && collector_off && collector_stats &&
			       (monitored_events || !monitoring)
		       ? 0
		       : -1;
}

/* -- the collector ------------------------------------------------------------------ */

#if PY_VERSION_HEX < 0x030a0000 /* these came with 3.10 */
static bool call(PyObject *function)
{
	AUTO_OBJECT *answer = PyObject_CallNoArgs(function);
	bool truth = answer == Py_True;

	PyErr_Clear();
	return truth;
}

static bool PyGC_Disable(void)
{
	bool was_on = call(collector_is_on);

	call(collector_off);
	return was_on;
}

static void PyGC_Enable(void)
{
	call(collector_on);
}
#endif

static void resume_collector(void)
{
	if (collector_was_on)
		PyGC_Enable();
}

/* Switching it off does not stop one that some versions have already scheduled;
 * the others collect at once or not at all, and need not be asked. */
static long count_collections(void)
{
	if (PY_VERSION_HEX < 0x030c0000)
		return 0;

	AUTO_OBJECT *stats = PyObject_CallNoArgs(collector_stats);
	long count = 0;

	for (Py_ssize_t i = 0; stats && i < PyList_GET_SIZE(stats); i++) {
		PyObject *number = PyDict_GetItemString(PyList_GET_ITEM(stats, i), "collections");

		count += number ? PyLong_AsLong(number) : 0;
	}
	PyErr_Clear();
	return stats ? count : -1;
}

/* -- objects ------------------------------------------------------------------------ */

static bool is_plain(PyObject *object, int depth, int *left);

static bool is_plain_atom(PyObject *object)
{
	return PyLong_CheckExact(object) || PyUnicode_CheckExact(object) || object == Py_None ||
	       PyBool_Check(object) || PyFloat_CheckExact(object) || PyBytes_CheckExact(object) ||
	       PyComplex_CheckExact(object);
}

static bool is_plain_dict(PyObject *dict, int depth, int *left)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(dict, &at, &key, &value)) {
		if (!is_plain(key, depth, left) || !is_plain(value, depth, left))
			return false;
	}
	return true;
}

/* Dropping a set can call the weak references to it. */
static bool is_plain_set(PyObject *set, int depth, int *left)
{
	if (((PySetObject *)set)->weakreflist || PySet_GET_SIZE(set) > *left)
		return false;

	AUTO_OBJECT *elements = PySequence_List(set);
	for (Py_ssize_t i = 0; elements && i < PyList_GET_SIZE(elements); i++) {
		if (!is_plain(PyList_GET_ITEM(elements, i), depth, left))
			return false;
	}
	return elements;
}

/* Older ranges keep what they are given, also integers of a class. */
static bool is_plain_range(PyObject *range)
{
	static const char *const parts[] = { "start", "stop", "step" };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		AUTO_OBJECT *part = python_object_try(range, parts[i]);

		if (!part || !PyLong_CheckExact(part))
			return false;
	}
	return true;
}

/* Is it of builtin types only, so that no operator, repr() or end of it runs the
 * program's code? */
static bool is_plain(PyObject *object, int depth, int *left)
{
	if ((*left)-- <= 0)
		return false;
	if (is_plain_atom(object))
		return true;
	if (depth-- == 0)
		return false;
	if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) {
		for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); i++) {
			if (!is_plain(PySequence_Fast_GET_ITEM(object, i), depth, left))
				return false;
		}
		return true;
	}
	if (PyDict_CheckExact(object))
		return is_plain_dict(object, depth, left);
	if (PyAnySet_CheckExact(object))
		return is_plain_set(object, depth, left);
	return Py_IS_TYPE(object, &PyRange_Type) && is_plain_range(object);
}

/* Else a look-up may call a key's comparison. */
static bool has_plain_keys(PyObject *dict)
{
	PyObject *key;
	Py_ssize_t at = 0;

	while (PyDict_Next(dict, &at, &key, NULL)) {
		if (!PyUnicode_CheckExact(key))
			return false;
	}
	return true;
}

static bool is_plain_name(const char *name, void *left)
{
	PyObject *value = PyDict_GetItemString(python_main_globals(), name);

	return value && is_plain(value, NESTED_MAX, left);
}

/* The value of `_`, which this cell's will replace. */
static bool is_last_result_plain(PyObject *builtins)
{
	PyObject *value = PyDict_GetItemString(builtins, "_");
	int left = OBJECTS_MAX;

	return !value || is_plain(value, NESTED_MAX, &left);
}

/* -- those who watch ---------------------------------------------------------------- */

static bool is_monitored(void)
{
	for (long tool = 0; monitored_events && tool < 6; tool++) {
		AUTO_OBJECT *number = PyLong_FromLong(tool);
		AUTO_OBJECT *events = number ? PyObject_CallOneArg(monitored_events, number) : NULL;
		long set = events ? PyLong_AsLong(events) : -1;

		PyErr_Clear();
		if (set != 0)
			return true;
	}
	return false;
}

static bool is_watched(void)
{
	PyThreadState *thread = PyThreadState_Get();

	return thread->c_tracefunc || thread->c_profilefunc || python_restrict_has_company() ||
	       is_monitored() || !python_signals_are_default() || !python_stdio_is_untouched();
}

static bool will_be_pure(const struct job *job)
{
	PyObject *globals = python_main_globals();
	PyObject *builtins = python_main_builtins();
	int left = OBJECTS_MAX;

	/* the first cell makes __main__ */
	return globals && builtins && python_is_single_thread() &&
	       (quiet || has_plain_keys(globals)) &&
	       python_expression_is_simple(job->code, job->code_length, is_plain_name, &left) &&
	       (quiet || has_plain_keys(builtins)) && is_last_result_plain(builtins) &&
	       (quiet || !is_watched());
}

void python_pure_begin(const struct job *job)
{
	long before = collections;

	expected = false;
	if (job->kind != JOB_CELL || job->code_length > EXPRESSION_LENGTH_MAX) {
		quiet = false;
		return;
	}

	collector_was_on = PyGC_Disable();
	collections = count_collections();
	/* a thread of C code, a timer's for instance, is Python's only while it calls */
	quiet = quiet && collections == before && __libc_single_threaded;
	expected = collections >= 0 && will_be_pure(job);
	if (!expected)
		resume_collector();
}

bool python_pure_is_quiet(void)
{
	return quiet;
}

bool python_pure_is_expected(void)
{
	return expected;
}

bool python_pure_is_silent(void)
{
	return quiet && expected && count_collections() == collections;
}

bool python_pure_end(int exit_code)
{
	quiet = expected && exit_code == 0 && count_collections() == collections;
	if (expected)
		resume_collector();
	return quiet;
}

void python_pure_disturb(void)
{
	quiet = false;
}
