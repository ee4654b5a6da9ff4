#include "zygote/python/python_audit.h"

#include <errno.h>
#include <string.h>

#include "zygote/python/python_object.h"

static const char *const refused[] = {
	"getaddrinfo",
	"gethostbyname", /* also what gethostbyname_ex() announces */
	"gethostbyaddr",
	"getnameinfo",
};

static bool has_company;

/* Called for every event there is, imports and attribute look-ups among them. */
static int check_event(const char *event, PyObject *args, void *data)
{
	static const char family[] = "socket.g";

	(void)args, (void)data;
	if (strcmp(event, "sys.addaudithook") == 0)
		has_company = true;
	if (event[0] != 's' || strncmp(event, family, strlen(family)) != 0)
		return 0;
	event += strlen("socket.");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (strcmp(event, refused[i]) == 0) {
			errno = EACCES;
			PyErr_SetFromErrno(PyExc_OSError);
			return -1;
		}
	}
	return 0;
}

int python_audit_install(void)
{
	return PySys_AddAuditHook(check_event, NULL);
}

bool python_audit_has_company(void)
{
	return has_company;
}
