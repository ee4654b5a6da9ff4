/* gateway.h - where a request comes from: FastCGI, or plain CGI. */
#ifndef VIVARIUM_GATEWAY_H
#define VIVARIUM_GATEWAY_H

#include <stddef.h>

struct gateway {
	char **environment; /* CGI variables, NAME=value, NULL at the end */
	int hangup_fd;      /* hangs up when the client goes away; -1: unknown */
	void *context;

	/* Bytes of the body: how many were read, 0 at its end, or -errno. */
	long (*read)(void *context, void *bytes, size_t capacity);

	/* Head and body of the answer. 0 or -errno. */
	int (*write)(void *context, const void *bytes, size_t length);

	/* The body was not read to its end: the connection cannot be used again. */
	void (*abandon)(void *context);
};

#endif
