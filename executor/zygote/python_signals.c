#include "python_signals.h"

#include <signal.h>
#include <stdbool.h>

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

/* signal.signal() runs what is pending first, and gives up if that raises. */
static bool restore_handler(void)
{
	PyOS_InterruptOccurred(); /* forgets it */

	AUTO_OBJECT *done = PyObject_CallFunction(set_handler, "iO", SIGINT, interrupt_handler);

	PyErr_Clear();
	return done != NULL;
}

void python_signals_begin(void)
{
	sigset_t interrupt;

	if (!restore_handler())
		restore_handler();
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
	/* what was blocked until now is late as well */
	PyOS_InterruptOccurred();
	PyErr_Clear();
}
