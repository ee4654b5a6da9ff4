/* start.h - from the settings to serving. */
#ifndef VIVARIUM_START_H
#define VIVARIUM_START_H

#include "fcgi-app/config.h"

/* What the settings' types and ranges cannot say. 0, or -errno with the reason in error[]. */
int start_check(const struct config *config, char error[SETTINGS_ERROR_BYTES]);

/* Listen, give up privilege, and serve until SIGTERM. The exit status. */
int start_fastcgi(const struct config *config, char error[SETTINGS_ERROR_BYTES]);

/* Serve the one request that the environment and standard input describe. The exit status. */
int start_cgi(const struct config *config, char error[SETTINGS_ERROR_BYTES]);

/* Say on stderr why it cannot be. 1. */
int start_failed(const char *reason);

#endif
