/* start.h - what is done before serving: the socket, and giving up privilege. */
#ifndef VIVARIUM_START_H
#define VIVARIUM_START_H

#include "common/settings.h"

/* Listen at `path` with this octal mode, and this group unless it is "". A file
 * left by a process that is gone is replaced; a living one's is not. The
 * descriptor, which does not block, or -errno with the reason in error[]. */
int listener_open(const char *path, const char *mode, const char *group,
		  char error[SETTINGS_ERROR_BYTES]);

/* Become `user` (when started as root; "" otherwise), with no capability in any
 * set, no supplementary groups and no_new_privs; then try to get it back, and
 * fail if that works. Before any thread. 0, or -errno with the reason in
 * error[]: the process must then end. */
int privilege_drop(const char *user, char error[SETTINGS_ERROR_BYTES]);

/* As many descriptors as are allowed: a stream takes two. */
void descriptors_allow(void);

/* What large requests took goes back to the kernel when they end. Before threads. */
void memory_give_back(void);

#endif
