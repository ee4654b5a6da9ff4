/* gateway.h - where a request comes from: FastCGI, or plain CGI. */
#ifndef VIVARIUM_GATEWAY_H
#define VIVARIUM_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include "fcgi-app/config.h"

struct gateway {
	char **environment; /* CGI variables, NAME=value, NULL at the end */
	int hangup_fd;      /* hangs up when the client goes away; -1: unknown */
	void *context;

	/* Bytes of the body: how many were read, 0 at its end, or -errno. */
	long (*read)(void *context, void *bytes, size_t capacity);

	/* Head and body of the answer. 0 or -errno. */
	int (*write)(void *context, const void *bytes, size_t length);

	/* What has been written goes out now. 0 or -errno. */
	int (*flush)(void *context);

	/* The body was not read to its end: the connection cannot be used again. */
	void (*abandon)(void *context);
};

/* ---- plain CGI (gateway_cgi.c) --------------------------------------------- */

/* Serve one request from environment variables and standard input, and write the
 * answer to standard output. 0 or -errno. */
int gateway_cgi_serve(const struct config *config);

/* ---- FastCGI (workers.c) ------------------------------------------------------ */

struct workers;

/* Start config->threads threads that serve what comes to the socket, which must not
 * block in accept(). 0 or -errno, with nothing running. */
int workers_start(const struct config *config, int listen_fd, struct workers **ret_workers);

/* Stop accepting, let running requests end for at most config->stop_ms, and
 * free everything. True if all threads have ended; false if some still run (then
 * nothing is freed, and the process must end without returning). */
bool workers_stop(struct workers *workers);

#endif
