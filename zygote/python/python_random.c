#include "zygote/python/python_fork.h"

#include <string.h>
#include <sys/random.h>

#include "zygote/python/python_object.h"

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

/* The generator behind random.random(); a new reference or NULL without an error. */
static PyObject *random_instance(void)
{
	PyObject *module = python_object_module("random");

	return module && PyModule_Check(module) ? python_object_try(module, "_inst") : NULL;
}

/* tempfile's generator notices a fork by its process number: in a pid namespace
 * of its own, every sandbox has the same one. Each makes a new one. */
static int forget_temporary_names(void)
{
	PyObject *module = python_object_module("tempfile");

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
int python_random_prepare(void)
{
	AUTO_OBJECT *instance = random_instance();
	AUTO_OBJECT *basis = instance ? PyImport_ImportModule("_random") : NULL;
	AUTO_OBJECT *type = basis ? PyObject_GetAttrString(basis, "Random") : NULL;
	AUTO_OBJECT *function = type ? PyObject_GetAttrString(type, "seed") : NULL;
	PyObject *numpy = python_object_module("numpy.random");

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

void python_random_renew(void)
{
	call_if_any(seed_random);
	if (!renew_twister())
		call_if_any(seed_numpy);
}

void python_random_keep(bool hooks_rest)
{
	AUTO_OBJECT *instance = random_instance();
	bool rests = hooks_rest && instance == seeded;

	Py_XSETREF(kept_state,
		   instance && !rests ? PyObject_CallMethod(instance, "getstate", NULL) : NULL);
	PyErr_Clear();
}

void python_random_give_back(void)
{
	AUTO_OBJECT *instance = kept_state ? random_instance() : NULL;
	AUTO_OBJECT *done =
		instance ? PyObject_CallMethod(instance, "setstate", "(O)", kept_state) : NULL;

	PyErr_Clear();
	Py_CLEAR(kept_state);
}

void python_random_let_go(void)
{
	Py_CLEAR(kept_state);
}
