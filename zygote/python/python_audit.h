/* python_audit.h - name resolution fails as the rest of the network does. */
#ifndef VIVARIUM_PYTHON_AUDIT_H
#define VIVARIUM_PYTHON_AUDIT_H

#include <stdbool.h>

/* Zygote: there is no network in a sandbox, but libc's resolver would say so
 * late and in words of its own ("Temporary failure in name resolution"). With
 * this hook socket.getaddrinfo and its kin raise PermissionError at once.
 * 0, or -1 with an error. */
int python_audit_install(void);

/* Has the program added a hook of its own? */
bool python_audit_has_company(void);

#endif
