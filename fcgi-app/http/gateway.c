/* gateway.c - a request's bytes, from FastCGI or plain CGI.
 *
 * Of FastCGI, fastcgi.c reads it; libfcgi only writes, the answer and the end of the request.
 * To make its streams it must read a head: it gets always the same one, of our own. */
#define _GNU_SOURCE
#include "fcgi-app/http/gateway.h"

#include <errno.h>
#include <fcgiapp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/access.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/http.h"

enum { DRAIN_BYTES = 256 << 20 };

/* ---- FastCGI ------------------------------------------------------------------------ */

/* A responder's BEGIN_REQUEST, and PARAMS without any. */
static const char HEAD[] = "\1\1\0\1\0\10\0\0"
			   "\0\1\1\0\0\0\0\0"
			   "\1\4\0\1\0\0\0\0";

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

/* Have libfcgi read our head, and then use the socket. */
static int open_request(const struct server *server, struct request *request)
{
	if (lseek(server->head_fd, 0, SEEK_SET))
		return -EIO;
	if (FCGX_InitRequest(&request->fcgx, -1, 0))
		return -EIO;
	request->fcgx.ipcFd = server->head_fd;
	request->fcgx.keepConnection = 1; /* else it would begin by closing the file */
	if (FCGX_Accept_r(&request->fcgx))
		return -EPROTO;
	request->fcgx.ipcFd = request->fastcgi->fd;
	request->fcgx.requestId = request->fastcgi->id;
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
		.environment = fastcgi->environment,
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

	if (!failed && write(server.head_fd, HEAD, sizeof HEAD - 1) != sizeof HEAD - 1)
		failed = -EIO;
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
	char *const *environment = fastcgi->environment;
	const char *uri = http_variable(environment, "REQUEST_URI");
	char path[2048], address[ACCESS_ADDRESS_BYTES];
	size_t length = strcspn(uri, "?");

	caller_address(config->trusted_proxies, http_variable(environment, "REMOTE_ADDR"),
		       http_variable(environment, "HTTP_X_FORWARDED_FOR"), address);
	caller_share(address, ret_client);
	/* The path alone says what it is: a query, perhaps with a broken escape, must not make it
	 * an error, which is quick. In doubt it is work. */
	if (length >= sizeof path)
		return EXCHANGE_WORK;
	memcpy(path, uri, length);
	path[length] = '\0';
	return exchange_lane(http_variable(environment, "REQUEST_METHOD"), path,
			     http_variable(environment, "HTTP_ACCEPT"));
}

/* ---- plain CGI ---------------------------------------------------------------------- */

static long cgi_read(void *context, void *bytes, size_t capacity)
{
	ssize_t got;

	(void)context;
	do {
		got = read(STDIN_FILENO, bytes, capacity);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static int cgi_write(void *context, const void *bytes, size_t length)
{
	const char *at = bytes;

	(void)context;
	while (length) {
		ssize_t wrote = write(STDOUT_FILENO, at, length);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			at += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

static int cgi_flush(void *context)
{
	(void)context;
	return 0;
}

static void cgi_abandon(void *context)
{
	(void)context; /* there is no next request to mix up with */
}

int gateway_cgi_serve(const struct config *config)
{
	const struct gateway gateway = {
		.environment = environ,
		.hangup_fd = -1,
		.read = cgi_read,
		.write = cgi_write,
		.flush = cgi_flush,
		.abandon = cgi_abandon,
	};
	struct executor_client *executor;
	int failed = executor_client_new(config->executor, &executor);

	if (failed)
		return failed;
	exchange_serve(config, &gateway, executor, NULL);
	executor_client_free(executor);
	return 0;
}
