/* exchange.h - one HTTP request and the answer to it. */
#ifndef VIVARIUM_EXCHANGE_H
#define VIVARIUM_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "fcgi-app/config.h"
#include "fcgi-app/http/access.h"
#include "fcgi-app/http/http.h"

struct executor_client;
struct route;

enum { ROUTE_PARAMETERS_MAX = 3 };

/* Where the request comes from, and its answer goes: see gateway.h. */
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

/* A body that is sent as it is made, and never as a whole in memory. */
struct body_stream {
	uint64_t length; /* of all of it */
	/* Give all to put(). -errno ends the answer early. NULL: there is no stream. */
	int (*send)(void *context, int (*put)(void *put_context, const void *bytes, size_t length),
		    void *put_context);
	void (*free)(void *context);
	void *context;
};

struct exchange {
	const struct config *config;
	const struct gateway *gateway;
	struct executor_client *executor; /* this thread's own */

	/* the request */
	char id[ID_LENGTH_MAX + 1]; /* goes into the answer, the log and the executor */
	enum method method;
	struct caller caller;
	struct target target;
	const struct route *route;                    /* NULL until one has matched */
	struct text parameters[ROUTE_PARAMETERS_MAX]; /* decoded, NUL-terminated */
	struct buffer body;
	size_t body_expected; /* SIZE_MAX: not said */

	/* the answer */
	int status;
	const char *content_type; /* NULL: no body */
	struct buffer headers;    /* further lines, each ended by CR LF */
	struct buffer reply;
	struct body_stream stream; /* in place of reply */
	bool endless;              /* its length is not known */
	bool sent;                 /* the head has gone out, and the body goes its own way */
};

/* A request variable as CGI names it (HTTP_ACCEPT); "" if there is none. */
static inline const char *exchange_variable(const struct exchange *exchange, const char *name)
{
	return http_variable(exchange->gateway->environment, name);
}

/* What kind of work a request is: what its thread will be busy with. */
enum exchange_lane { EXCHANGE_QUICK, EXCHANGE_WORK, EXCHANGE_EVENTS };

enum exchange_lane exchange_lane(const char *method, const char *uri, const char *accept);

/* Does the client want the answer as a stream of events? */
bool exchange_wants_events(const char *accept);

/* Serve one request: read, route, handle, answer, log. With a refusal it is answered by
 * 503 and these words. */
void exchange_serve(const struct config *config, const struct gateway *gateway,
		    struct executor_client *executor, const char *refusal);

#endif
