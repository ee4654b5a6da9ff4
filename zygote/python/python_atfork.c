#include "zygote/python/python_atfork.h"

#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"

static PyObject *real_function; /* os.register_at_fork */
static PyObject *recorded;      /* list of the keywords of each call */
static bool rests;

static PyObject *record(PyObject *self, PyObject *args, PyObject *keywords)
{
	(void)self;
	if (PyTuple_GET_SIZE(args) || !keywords) /* let the real one complain */
		return PyObject_Call(real_function, args, keywords);
	if (PyList_Append(recorded, keywords) < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* What was registered under `keyword` with the call number `i`. */
static void run_one(Py_ssize_t i, const char *keyword)
{
	PyObject *function = PyDict_GetItemString(PyList_GET_ITEM(recorded, i), keyword);
	AUTO_OBJECT *done = function ? PyObject_CallFunctionObjArgs(function, NULL) : NULL;

	if (function && !done)
		PyErr_WriteUnraisable(function);
}

/* In the order that os.register_at_fork() promises. */
static PyObject *run_recorded(const char *keyword, bool last_first)
{
	Py_ssize_t count = PyList_GET_SIZE(recorded);

	if (rests || !python_main_globals()) /* a copy; or the zygote's own fork */
		Py_RETURN_NONE;
	for (Py_ssize_t i = 0; i < count; i++)
		run_one(last_first ? count - 1 - i : i, keyword);
	Py_RETURN_NONE;
}

void python_atfork_rest(bool rest)
{
	rests = rest;
}

void python_atfork_renew_thread(void)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "threading");
	AUTO_OBJECT *thread = module ? python_object_try(module, "_main_thread") : NULL;
	AUTO_OBJECT *id = thread ? PyLong_FromUnsignedLong(PyThread_get_thread_native_id()) : NULL;

	if (id && PyObject_SetAttrString(thread, "_native_id", id) < 0)
		PyErr_Clear();
	PyErr_Clear();
}

static PyObject *run_before(PyObject *self, PyObject *nothing)
{
	(void)self, (void)nothing;
	return run_recorded("before", true);
}

static PyObject *run_in_parent(PyObject *self, PyObject *nothing)
{
	(void)self, (void)nothing;
	return run_recorded("after_in_parent", false);
}

static PyObject *run_in_child(PyObject *self, PyObject *nothing)
{
	(void)self, (void)nothing;
	return run_recorded("after_in_child", false);
}

static PyMethodDef recorder = { "register_at_fork", (PyCFunction)(void (*)(void))record,
				METH_VARARGS | METH_KEYWORDS, NULL };
static PyMethodDef runners[] = {
	{ "before", run_before, METH_NOARGS, NULL },
	{ "after_in_parent", run_in_parent, METH_NOARGS, NULL },
	{ "after_in_child", run_in_child, METH_NOARGS, NULL },
};

enum { RUNNERS = sizeof runners / sizeof runners[0] };

static PyObject *own[RUNNERS];    /* the runners */
static PyObject *hooks[RUNNERS];  /* CPython's list in which each is */
static PyObject *silent[RUNNERS]; /* what was in it */
static bool collects;

/* CPython's own lists have no name, but ours is the one function in each. */
static int find_hooks(void)
{
	AUTO_OBJECT *gc = PyImport_ImportModule("gc");

	for (size_t i = 0; i < RUNNERS; i++) {
		AUTO_OBJECT *found =
			gc ? PyObject_CallMethod(gc, "get_referrers", "O", own[i]) : NULL;

		for (Py_ssize_t k = 0; found && k < PyList_GET_SIZE(found); k++) {
			PyObject *one = PyList_GET_ITEM(found, k);

			if (PyList_CheckExact(one) && PyList_GET_SIZE(one) == 1)
				Py_XSETREF(hooks[i], Py_NewRef(one));
		}
		if (!hooks[i]) {
			if (!PyErr_Occurred())
				PyErr_SetString(PyExc_SystemError, "no list of fork hooks");
			return -1;
		}
	}
	return 0;
}

static int register_runners(void)
{
	AUTO_OBJECT *nothing = PyTuple_New(0);
	AUTO_OBJECT *keywords = PyDict_New();

	for (size_t i = 0; keywords && i < RUNNERS; i++) {
		own[i] = PyCFunction_New(&runners[i], NULL);
		if (!own[i] || PyDict_SetItemString(keywords, runners[i].ml_name, own[i]) < 0)
			return -1;
	}

	AUTO_OBJECT *done =
		nothing && keywords ? PyObject_Call(real_function, nothing, keywords) : NULL;
	return done ? find_hooks() : -1;
}

/* Modules reach it through either name. */
static int put_function(PyObject *function)
{
	AUTO_OBJECT *os = PyImport_ImportModule("os");
	AUTO_OBJECT *posix = PyImport_ImportModule("posix");

	if (!os || !posix || PyObject_SetAttrString(os, "register_at_fork", function) < 0)
		return -1;
	return PyObject_SetAttrString(posix, "register_at_fork", function);
}

bool python_atfork_silence(void)
{
	collects = PyGC_Disable(); /* gc.callbacks and finalizers are hooks as well */
	for (size_t i = 0; i < RUNNERS; i++) {
		silent[i] = PyList_GetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]));
		if (!silent[i] ||
		    PyList_SetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]), NULL) < 0) {
			PyErr_Clear();
			python_atfork_speak();
			return false;
		}
	}
	return true;
}

void python_atfork_speak(void)
{
	for (size_t i = 0; i < RUNNERS; i++) {
		if (silent[i] &&
		    PyList_SetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]), silent[i]) < 0)
			PyErr_Clear();
		Py_CLEAR(silent[i]);
	}
	if (collects)
		PyGC_Enable();
	collects = false;
}

int python_atfork_record(void)
{
	AUTO_OBJECT *posix = PyImport_ImportModule("posix");
	AUTO_OBJECT *function = PyCFunction_New(&recorder, NULL);

	real_function = posix ? PyObject_GetAttrString(posix, "register_at_fork") : NULL;
	recorded = PyList_New(0);
	if (!real_function || !function || !recorded || register_runners() < 0)
		return -1;
	return put_function(function);
}

int python_atfork_stop(void)
{
	return put_function(real_function);
}
