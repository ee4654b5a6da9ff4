#include "zygote/python/python_random.h"

#include "zygote/python/python_object.h"

static PyObject *seeded;      /* the generator behind random.random() at the start */
static PyObject *seed_random; /* the C method below random.seed, bound to it */
static PyObject *seed_numpy;  /* numpy.random.seed */
static PyObject *kept_state;  /* of `random`, across a copying fork */

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

/* Not random.seed() itself, which is Python code: running it would copy pages. */
int python_random_prepare(void)
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
	return forget_temporary_names();
}

static void call_if_any(PyObject *function)
{
	AUTO_OBJECT *done = function ? PyObject_CallFunctionObjArgs(function, NULL) : NULL;

	PyErr_Clear();
}

void python_random_renew(void)
{
	call_if_any(seed_random);
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
