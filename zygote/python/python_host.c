#include "zygote/python/python_host.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/mailbox.h"
#include "zygote/python/python.h"
#include "zygote/python/python_finish.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_text.h"

static struct python_host host;

void python_attach(const struct python_host *given)
{
	host = *given;
	python_text_share(host.mailbox);
}

bool python_host_is_here(void)
{
	return host.mailbox && python_finish_is_settled();
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
