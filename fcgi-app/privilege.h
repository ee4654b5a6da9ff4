/* privilege.h - give up every privilege, for good. */
#ifndef VIVARIUM_PRIVILEGE_H
#define VIVARIUM_PRIVILEGE_H

#include "common/settings.h"

/* Become `user` (when started as root; "" otherwise), with no capability in any
 * set, no supplementary groups and no_new_privs; then try to get it back, and
 * fail if that works. Before any thread. 0, or -errno with the reason in
 * error[]: the process must then end. */
int privilege_drop(const char *user, char error[SETTINGS_ERROR_BYTES]);

#endif
