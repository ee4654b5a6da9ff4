/* gateway_fastcgi.h - one request of a FastCGI connection, and what a thread needs to
 * serve it. */
#ifndef VIVARIUM_GATEWAY_FASTCGI_H
#define VIVARIUM_GATEWAY_FASTCGI_H

#include "fcgi-app/config.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/fastcgi.h"

struct executor_client;

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

#endif
