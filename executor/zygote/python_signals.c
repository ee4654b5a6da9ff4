#include "python_signals.h"

#include <signal.h>

#include "python_object.h"

static PyObject *set_handler, *interrupt_handler; /* of _signal */

int python_signals_prepare(void)
{
	AUTO_OBJECT *module = PyImport_ImportModule("_signal");
	if (!module)
		return -1;

	set_handler = PyObject_GetAttrString(module, "signal");
	interrupt_handler = PyObject_GetAttrString(module, "default_int_handler");
	return set_handler && interrupt_handler ? 0 : -1;
}

void python_signals_begin(void)
{
	AUTO_OBJECT *done = PyObject_CallFunction(set_handler, "iO", SIGINT, interrupt_handler);
	sigset_t interrupt;

	PyErr_Clear();
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
	/* last: what was blocked until now is late as well */
	PyOS_InterruptOccurred();
	PyErr_Clear();
}
