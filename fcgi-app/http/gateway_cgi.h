/* gateway_cgi.h - one request from environment variables and standard input. */
#ifndef VIVARIUM_GATEWAY_CGI_H
#define VIVARIUM_GATEWAY_CGI_H

#include "fcgi-app/config.h"

/* Serve it and write the answer to standard output. 0 or -errno. */
int gateway_cgi_serve(const struct config *config);

#endif
