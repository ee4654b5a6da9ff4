#include "zygote/python/python_fork.h"

#include "zygote/python/python.h"
#include "zygote/python/python_host.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_run.h"
#include "zygote/python/python_stdio.h"

/* -- the library's fork hooks ------------------------------------------------------------ */

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

/* Around a copying fork of ours: let what was written down rest. */
static void let_hooks_rest(bool rest)
{
	rests = rest;
}

/* In a fork whose hooks have rested: the one thing that is not as it was, the
 * thread's kernel id, which threading.main_thread() has. No error is set. */
static void renew_thread(void)
{
	PyObject *module = python_object_module("threading");
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

static PyMethodDef recorder = { "register_at_fork", PYTHON_WITH_KEYWORDS(record),
				METH_VARARGS | METH_KEYWORDS, NULL };
static PyMethodDef runners[] = {
	{ "before", run_before, METH_NOARGS, NULL },
	{ "after_in_parent", run_in_parent, METH_NOARGS, NULL },
	{ "after_in_child", run_in_child, METH_NOARGS, NULL },
};

enum { RUNNERS = sizeof runners / sizeof runners[0] };

static PyObject *own[RUNNERS];         /* the runners */
static PyObject *hooks[RUNNERS];       /* CPython's list in which each is */
static PyObject *was_in_list[RUNNERS]; /* while it is silenced */
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

static void unsilence_hooks(void)
{
	for (size_t i = 0; i < RUNNERS; i++) {
		if (was_in_list[i] &&
		    PyList_SetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]), was_in_list[i]) < 0)
			PyErr_Clear();
		Py_CLEAR(was_in_list[i]);
	}
	if (collects)
		PyGC_Enable();
	collects = false;
}

/* Around a fork that the program is not to notice: no function of its own runs,
 * whoever registered it, in the process that is forked least of all. False if
 * that cannot be. */
static bool silence_hooks(void)
{
	collects = PyGC_Disable(); /* gc.callbacks and finalizers are hooks as well */
	for (size_t i = 0; i < RUNNERS; i++) {
		was_in_list[i] = PyList_GetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]));
		if (!was_in_list[i] ||
		    PyList_SetSlice(hooks[i], 0, PyList_GET_SIZE(hooks[i]), NULL) < 0) {
			PyErr_Clear();
			unsilence_hooks();
			return false;
		}
	}
	return true;
}

int python_fork_record_hooks(void)
{
	AUTO_OBJECT *posix = PyImport_ImportModule("posix");
	AUTO_OBJECT *function = PyCFunction_New(&recorder, NULL);

	real_function = posix ? PyObject_GetAttrString(posix, "register_at_fork") : NULL;
	recorded = PyList_New(0);
	if (!real_function || !function || !recorded || register_runners() < 0)
		return -1;
	return put_function(function);
}

int python_fork_stop_recording(void)
{
	return put_function(real_function);
}

/* -- the forks ------------------------------------------------------------------------- */

static void before_fork(bool silent)
{
	python_host_settle();
	python_pure_disturb();       /* the hooks of the program run, here and in the fork */
	if (python_main_globals()) { /* else it is the zygote: there is no program yet */
		bool rest = python_is_single_thread();

		let_hooks_rest(rest);
		if (!silent) /* else nothing seeds it, and its getstate() may be the program's */
			python_random_keep(rest);
	}
	PyOS_BeforeFork();
	python_finish_stranger(0);
}

void python_before_fork(void)
{
	before_fork(false);
}

bool python_before_fork_case(void)
{
	if (!silence_hooks())
		return false;
	before_fork(true);
	return true;
}

void python_after_fork_parent(void)
{
	PyOS_AfterFork_Parent();
	let_hooks_rest(false);
	unsilence_hooks();
	python_random_let_go();
	python_finish_stranger(0);
}

void python_after_fork_child(void)
{
	python_pages_scatter();
	PyOS_AfterFork_Child();
	renew_thread();
	python_random_renew();
	python_host_settle();
	python_pages_warm_fork();
}

void python_after_fork_copy(void)
{
	python_host_settle();
	python_text_share(NULL);
	PyOS_AfterFork_Child();
	let_hooks_rest(false);
	renew_thread();
	python_random_give_back();
	python_finish_stranger(0);
}

static void become_case(void)
{
	if (python_main_globals()) {
		python_after_fork_copy();
		return;
	}
	PyOS_AfterFork_Child();
	renew_thread();
	python_random_renew();
	python_host_settle();
	python_text_share(NULL);
}

void python_after_fork_case(void)
{
	become_case();
	unsilence_hooks();
}

long python_wait(long (*wait)(void *argument), void *argument)
{
	PyThreadState *thread = PyEval_SaveThread();
	long result = wait(argument);

	PyEval_RestoreThread(thread);
	return result;
}
