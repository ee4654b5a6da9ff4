#include "zygote/python/python_signals.h"

#include <signal.h>
#include "zygote/python/python_object.h"

static PyObject *set_handler, *interrupt_handler; /* of _signal */

/* The handlers as they are in the zygote. */
static PyObject *get_handler, *numbers[NSIG], *handlers[NSIG];

static int remember_handlers(void)
{
	for (int number = 1; number < NSIG; number++) {
		numbers[number] = PyLong_FromLong(number);
		if (!numbers[number])
			return -1;
		handlers[number] = PyObject_CallOneArg(get_handler, numbers[number]);
		if (!handlers[number])
			return -1;
	}
	return 0;
}

int python_signals_prepare(void)
{
	AUTO_OBJECT *module = PyImport_ImportModule("_signal");
	if (!module)
		return -1;

	set_handler = PyObject_GetAttrString(module, "signal");
	interrupt_handler = PyObject_GetAttrString(module, "default_int_handler");
	get_handler = PyObject_GetAttrString(module, "getsignal");
	return set_handler && interrupt_handler && get_handler ? remember_handlers() : -1;
}

/* signal.signal() runs what is pending first, and gives up if that raises. */
static bool restore_handler(void)
{
	PyOS_InterruptOccurred(); /* forgets it */

	AUTO_OBJECT *done = PyObject_CallFunction(set_handler, "iO", SIGINT, interrupt_handler);

	PyErr_Clear();
	return done != NULL;
}

void python_signals_begin(bool quiet)
{
	sigset_t interrupt;

	if (quiet) {
		PyOS_InterruptOccurred();
		return;
	}
	if (!restore_handler())
		restore_handler();
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
	/* what was blocked until now is late as well */
	PyOS_InterruptOccurred();
	PyErr_Clear();
}

bool python_signals_are_default(void)
{
	for (int number = 1; number < NSIG; number++) {
		AUTO_OBJECT *handler = PyObject_CallOneArg(get_handler, numbers[number]);

		PyErr_Clear();
		if (handler != handlers[number])
			return false;
	}
	return true;
}
