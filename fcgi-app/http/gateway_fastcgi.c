/* gateway_fastcgi.c - one FastCGI request.
 *
 * libfcgi gets a head that fastcgi.c has checked, through a file in memory, and from
 * then on only writes: the answer and the end of the request. */
#define _GNU_SOURCE
#include "fcgi-app/http/gateway_fastcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/executor_client.h"
#include "fcgi-app/http/access.h"

enum { DRAIN_BYTES = 256 << 20 };

struct request {
	struct fastcgi *fastcgi;
	FCGX_Request fcgx;
	bool lingers; /* the body was refused: take what still comes, and close */
};

static long fastcgi_gateway_read(void *context, void *bytes, size_t capacity)
{
	struct request *request = context;

	return fastcgi_read(request->fastcgi, bytes, capacity);
}

static int fastcgi_gateway_write(void *context, const void *bytes, size_t length)
{
	struct request *request = context;
	const char *at = bytes;

	while (length) {
		int part = length > 1 << 20 ? 1 << 20 : (int)length;

		if (FCGX_PutStr(at, part, request->fcgx.out) != part)
			return -EPIPE;
		at += part;
		length -= (size_t)part;
	}
	return 0;
}

static int fastcgi_gateway_flush(void *context)
{
	struct request *request = context;

	return FCGX_FFlush(request->fcgx.out) ? -EPIPE : 0;
}

static void fastcgi_gateway_abandon(void *context)
{
	((struct request *)context)->lingers = true;
}

/* Have libfcgi read the checked head, and then use the socket. */
static int open_request(const struct server *server, struct request *request)
{
	const struct buffer *head = &request->fastcgi->head;
	AUTO_FD copy = -1;

	if (ftruncate(server->head_fd, 0) ||
	    pwrite(server->head_fd, head->data, head->length, 0) != (ssize_t)head->length ||
	    lseek(server->head_fd, 0, SEEK_SET))
		return -EIO;
	if (FCGX_InitRequest(&request->fcgx, -1, 0))
		return -EIO;
	request->fcgx.ipcFd = server->head_fd;
	request->fcgx.keepConnection = 1; /* else it would begin by closing the file */
	if (FCGX_Accept_r(&request->fcgx))
		return -EPROTO;
	request->fcgx.ipcFd = request->fastcgi->fd;
	return 0;
}

/* Take what a handler had no use for: after the answer's end the peer may at once send
 * its next request. True if the body is at its end. */
static bool drain(struct request *request)
{
	char bytes[4096];
	size_t left = DRAIN_BYTES;
	long got = 1;

	while (got > 0 && left) {
		got = fastcgi_read(request->fastcgi, bytes, sizeof bytes);
		left -= got > 0 && (size_t)got < left ? (size_t)got : 0;
	}
	return got == 0;
}

/* Ends the answer; the socket stays open. True if it may carry another request. */
static bool close_request(struct request *request)
{
	bool kept = (request->lingers || drain(request)) && request->fastcgi->keep;

	request->fcgx.keepConnection = 1;
	kept &= !FCGX_FClose(request->fcgx.err) && !FCGX_FClose(request->fcgx.out);
	request->fcgx.ipcFd = -1;
	FCGX_Free(&request->fcgx, 0);
	if (request->lingers) { /* to close at once would take the answer from who still sends */
		shutdown(request->fastcgi->fd, SHUT_WR);
		drain(request);
	}
	return kept && !request->lingers;
}

bool server_serve(const struct server *server, struct fastcgi *fastcgi, const char *refusal)
{
	struct request request = { .fastcgi = fastcgi };
	int failed = open_request(server, &request);

	if (failed) {
		log_error("event=head_failed error=\"%s\"", strerror(-failed));
		return false;
	}
	const struct gateway gateway = {
		.environment = request.fcgx.envp,
		.hangup_fd = fastcgi->fd,
		.context = &request,
		.read = fastcgi_gateway_read,
		.write = fastcgi_gateway_write,
		.flush = fastcgi_gateway_flush,
		.abandon = fastcgi_gateway_abandon,
	};

	exchange_serve(server->config, &gateway, server->executor, refusal);
	return close_request(&request);
}

void server_free(struct server *server)
{
	executor_client_free(server->executor);
	owned_close(&server->head_fd);
}

int server_open(const struct config *config, struct server *ret_server)
{
	struct server server = { .config = config, .head_fd = memfd_create("head", MFD_CLOEXEC) };
	int failed = server.head_fd < 0 ? -errno : 0;

	if (!failed)
		failed = executor_client_new(config->executor, &server.executor);
	if (failed)
		server_free(&server);
	else
		*ret_server = server;
	return failed;
}

enum exchange_lane server_choose_lane(const struct config *config, const struct fastcgi *fastcgi,
				      char ret_client[ACCESS_ADDRESS_BYTES])
{
	char method[16], uri[2048], accept[512], peer[ACCESS_ADDRESS_BYTES], forwarded[4096];
	char address[ACCESS_ADDRESS_BYTES];

	(void)fastcgi_variable(fastcgi, "REQUEST_METHOD", method, sizeof method);
	bool whole_uri = fastcgi_variable(fastcgi, "REQUEST_URI", uri, sizeof uri);
	bool whole_accept = fastcgi_variable(fastcgi, "HTTP_ACCEPT", accept, sizeof accept);
	(void)fastcgi_variable(fastcgi, "REMOTE_ADDR", peer, sizeof peer);
	/* the word that counts is the last, which a cut takes away: then it is the proxy's */
	if (!fastcgi_variable(fastcgi, "HTTP_X_FORWARDED_FOR", forwarded, sizeof forwarded))
		*forwarded = '\0';
	caller_address(config->trusted_proxies, peer, forwarded, address);
	caller_share(address, ret_client);
	/* The path alone says what it is: a query that is cut, perhaps within an escape, must not
	 * make it an error, which is quick. In doubt it is work, and events. */
	size_t path = strcspn(uri, "?");
	if (!whole_uri && path == sizeof uri - 1)
		return EXCHANGE_WORK;
	uri[path] = '\0';
	return exchange_lane(method, uri, whole_accept ? accept : "text/event-stream");
}
