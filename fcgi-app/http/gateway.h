/* gateway.h - where requests come from: FastCGI connections, or plain CGI. */
#ifndef VIVARIUM_GATEWAY_H
#define VIVARIUM_GATEWAY_H

#include <stdbool.h>

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/fastcgi.h"

/* ---- one request of a FastCGI connection --------------------------------------- */

/* One thread's own. */
struct server {
	const struct config *config;
	struct executor_client *executor;
	int head_fd; /* a file in memory: the head that libfcgi reads */
};

/* 0 or -errno. FCGX_Init() comes before. Freed with server_free(). */
int server_open(const struct config *config, struct server *ret_server);
void server_free(struct server *server);

/* Answer the request whose head is whole; with a refusal: 503 with these words. True if
 * the connection may carry another request. The socket stays open. */
bool server_serve(const struct server *server, struct fastcgi *fastcgi, const char *refusal);

/* What kind of work the request is whose head is whole, and under which name its client
 * has its share. */
enum exchange_lane server_choose_lane(const struct config *config, const struct fastcgi *fastcgi,
				      char ret_client[ACCESS_ADDRESS_BYTES]);

/* ---- plain CGI ------------------------------------------------------------- */

/* Serve one request from environment variables and standard input, and write the
 * answer to standard output. 0 or -errno. */
int gateway_cgi_serve(const struct config *config);

/* ---- threads (workers.c) ----------------------------------------------------- */

struct workers;

/* Start config->threads threads that serve what comes to the socket, which must not
 * block in accept(). 0 or -errno, with nothing running. */
int workers_start(const struct config *config, int listen_fd, struct workers **ret_workers);

/* Stop accepting, let running requests end for at most config->stop_ms, and
 * free everything. True if all threads have ended; false if some still run (then
 * nothing is freed, and the process must end without returning). */
bool workers_stop(struct workers *workers);

#endif
