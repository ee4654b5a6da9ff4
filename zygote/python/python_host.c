#include "zygote/python/python_host.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/mailbox.h"
#include "zygote/python/python.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_stdio.h"

static struct python_host host;
static pid_t own_pid;

/* -- which process it is --------------------------------------------------------------- */

void python_host_settle(void)
{
	own_pid = getpid();
}

bool python_host_is_settled(void)
{
	return getpid() == own_pid;
}

bool python_host_is_main_thread(void)
{
	return PyThread_get_thread_native_id() == (unsigned long)getpid();
}

/* -- the executor ------------------------------------------------------------------------ */

void python_attach(const struct python_host *given)
{
	host = *given;
	python_text_share(host.mailbox);
}

bool python_host_is_here(void)
{
	return host.mailbox && python_host_is_settled();
}

/* A handler may show something or ask itself: then the area is the handler's. */
static void put(const char *text, size_t length)
{
	memcpy((char *)host.mailbox + MAILBOX_REPORT_OFFSET, text, length);
	host.mailbox->report_length = (uint32_t)length;
}

long python_host_tell(unsigned note, unsigned flags, const char *text, size_t length)
{
	bool again = false;

	if (!python_host_is_here()) {
		PyErr_SetString(PyExc_OSError, "only the program's first process can do that");
		return -1;
	}
	if (length > MAILBOX_REPORT_MAX) {
		PyErr_SetString(PyExc_ValueError, "the text is too long");
		return -1;
	}
	for (;;) {
		long answer;

		if (!again)
			put(text, length);
		Py_BEGIN_ALLOW_THREADS answer = host.ask(note, flags, again);
		Py_END_ALLOW_THREADS if (answer >= 0) return answer;
		if (answer != -EINTR) {
			errno = (int)-answer;
			PyErr_SetFromErrno(PyExc_OSError);
			return -1;
		}
		if (PyErr_CheckSignals())
			return -1;
		again = true;
	}
}

const char *python_host_input(size_t *ret_length)
{
	uint32_t length = host.mailbox->payload_length;

	*ret_length = length <= MAILBOX_PAYLOAD_MAX ? length : 0;
	return (const char *)host.mailbox + MAILBOX_PAYLOAD_OFFSET;
}

/* -- signals ------------------------------------------------------------------------------- */

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
