#include "zygote/python/python_fork.h"

#include <string.h>
#include <sys/random.h>

#include "zygote/python/python.h"
#include "zygote/python/python_finish.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_pages.h"
#include "zygote/python/python_pure.h"
#include "zygote/python/python_text.h"

/* -- random numbers, names and places that differ between forks -------------------------- */

static PyObject *seeded;      /* the generator behind random.random() at the start */
static PyObject *seed_random; /* the C method below random.seed, bound to it */
static PyObject *seed_numpy;  /* numpy.random.seed */
static PyObject *kept_state;  /* of `random`, across a copying fork */

/* The Mersenne twister behind numpy.random.random(), as numpy keeps it. */
enum { TWISTER_WORDS = 624 };
struct twister {
	uint32_t key[TWISTER_WORDS];
	int position;
};
static struct twister *twister; /* NULL: not there, or not so */

static PyObject *loaded_module(const char *name)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), name);

	return module && PyModule_Check(module) ? module : NULL;
}

/* The generator behind random.random(); a new reference or NULL without an error. */
static PyObject *random_instance(void)
{
	PyObject *module = loaded_module("random");

	return module ? python_object_try(module, "_inst") : NULL;
}

/* tempfile's generator notices a fork by its process number: in a pid namespace
 * of its own, every sandbox has the same one. Each makes a new one. */
static int forget_temporary_names(void)
{
	PyObject *module = loaded_module("tempfile");

	return module ? PyObject_SetAttrString(module, "_name_sequence", Py_None) : 0;
}

static void call_if_any(PyObject *function)
{
	AUTO_OBJECT *done = function ? PyObject_CallFunctionObjArgs(function, NULL) : NULL;

	PyErr_Clear();
}

/* Does numpy tell the same state as the memory at its address holds? */
static bool is_twister(PyObject *generator, const struct twister *candidate)
{
	AUTO_OBJECT *both = python_object_try(generator, "state");
	PyObject *state = both && PyDict_Check(both) ? PyDict_GetItemString(both, "state") : NULL;
	PyObject *key = state && PyDict_Check(state) ? PyDict_GetItemString(state, "key") : NULL;
	PyObject *position = key ? PyDict_GetItemString(state, "pos") : NULL;
	Py_buffer words;

	if (!position || PyLong_AsLong(position) != candidate->position ||
	    PyObject_GetBuffer(key, &words, PyBUF_SIMPLE))
		return false;
	bool same = words.len == sizeof candidate->key &&
		    !memcmp(words.buf, candidate->key, sizeof candidate->key);
	PyBuffer_Release(&words);
	return same;
}

/* Seeding by numpy's own function writes to a hundred pages; the state alone is one. */
static void find_twister(PyObject *numpy)
{
	AUTO_OBJECT *get = python_object_try(numpy, "get_bit_generator"); /* since 1.24 */
	AUTO_OBJECT *generator = get ? PyObject_CallNoArgs(get) : NULL;
	AUTO_OBJECT *type =
		generator ? PyObject_GetAttrString((PyObject *)Py_TYPE(generator), "__name__")
			  : NULL;
	AUTO_OBJECT *access = type && PyUnicode_CompareWithASCIIString(type, "MT19937") == 0
				      ? python_object_try(generator, "ctypes")
				      : NULL;
	AUTO_OBJECT *address = access ? python_object_try(access, "state_address") : NULL;
	struct twister *candidate = address ? PyLong_AsVoidPtr(address) : NULL;

	PyErr_Clear();
	if (candidate && is_twister(generator, candidate))
		twister = candidate;
	PyErr_Clear();
}

static bool renew_twister(void)
{
	if (!twister ||
	    getrandom(twister->key, sizeof twister->key, GRND_NONBLOCK) != sizeof twister->key)
		return false;
	twister->key[0] |= (uint32_t)1 << 31; /* not all zero, as numpy does */
	twister->position = TWISTER_WORDS;
	return true;
}

/* Not random.seed() itself, which is Python code: running it would copy pages. */
int python_fork_prepare_random(void)
{
	AUTO_OBJECT *instance = random_instance();
	AUTO_OBJECT *basis = instance ? PyImport_ImportModule("_random") : NULL;
	AUTO_OBJECT *type = basis ? PyObject_GetAttrString(basis, "Random") : NULL;
	AUTO_OBJECT *function = type ? PyObject_GetAttrString(type, "seed") : NULL;
	PyObject *numpy = loaded_module("numpy.random");

	if (instance && !function)
		return -1;
	if (function) {
		seed_random = PyObject_CallMethod(function, "__get__", "O", instance);
		if (!seed_random)
			return -1;
		seeded = Py_NewRef(instance);
	}
	seed_numpy = numpy ? python_object_try(numpy, "seed") : NULL;
	call_if_any(seed_numpy); /* forgets what else it remembers: a second normal number */
	if (numpy)
		find_twister(numpy);
	return forget_temporary_names();
}

/* After the fork: seed `random` and numpy's global generator anew. */
static void renew_random(void)
{
	call_if_any(seed_random);
	if (!renew_twister())
		call_if_any(seed_numpy);
}

/* Around a fork that copies a running program, whose after-fork hooks seed
 * `random`: keep its state and put it back. Nothing to do where the hooks rest
 * that the zygote's own import of it has registered, unless the program has loaded
 * it anew: that registers one more. */
static void keep_random(bool hooks_rest)
{
	AUTO_OBJECT *instance = random_instance();
	bool rests = hooks_rest && instance == seeded;

	Py_XSETREF(kept_state,
		   instance && !rests ? PyObject_CallMethod(instance, "getstate", NULL) : NULL);
	PyErr_Clear();
}

static void give_random_back(void)
{
	AUTO_OBJECT *instance = kept_state ? random_instance() : NULL;
	AUTO_OBJECT *done =
		instance ? PyObject_CallMethod(instance, "setstate", "(O)", kept_state) : NULL;

	PyErr_Clear();
	Py_CLEAR(kept_state);
}

static void let_random_go(void)
{
	Py_CLEAR(kept_state);
}

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
	python_finish_settle();
	python_pure_disturb();       /* the hooks of the program run, here and in the fork */
	if (python_main_globals()) { /* else it is the zygote: there is no program yet */
		bool rest = python_is_single_thread();

		let_hooks_rest(rest);
		if (!silent) /* else nothing seeds it, and its getstate() may be the program's */
			keep_random(rest);
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
	let_random_go();
	python_finish_stranger(0);
}

void python_after_fork_child(void)
{
	python_pages_scatter();
	PyOS_AfterFork_Child();
	renew_thread();
	renew_random();
	python_finish_settle();
	python_pages_warm_fork();
}

void python_after_fork_copy(void)
{
	python_finish_settle();
	python_text_share(NULL);
	PyOS_AfterFork_Child();
	let_hooks_rest(false);
	renew_thread();
	give_random_back();
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
	renew_random();
	python_finish_settle();
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
