/* listener.h - the application's own UNIX socket. */
#ifndef VIVARIUM_LISTENER_H
#define VIVARIUM_LISTENER_H

#include "common/settings.h"

/* Listen at `path` with this octal mode, and this group unless it is "". A file
 * left by a process that is gone is replaced; a living one's is not. The
 * descriptor, or -errno with the reason in error[]. */
int listener_open(const char *path, const char *mode, const char *group,
		  char error[SETTINGS_ERROR_BYTES]);

#endif
