/* exchange.c - one request, from its variables to the log line. */
#define _GNU_SOURCE
#include "fcgi-app/http/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fcgi-app/http/access.h"
#include "fcgi-app/http/answer.h"
#include "common/log.h"
#include "fcgi-app/routes.h"

enum { READ_BYTES = 16 << 10 };

/* ---- the request -------------------------------------------------------- */

/* The client's id if it is one, else the web server's, else our own. */
static void choose_id(struct exchange *exchange)
{
	struct text wanted = text_of(exchange_variable(exchange, "HTTP_X_REQUEST_ID"));

	if (!id_valid(wanted))
		wanted = text_of(exchange_variable(exchange, "REQUEST_ID"));
	if (id_valid(wanted))
		memcpy(exchange->id, wanted.data, wanted.length + 1);
	else if (id_make_uuid(exchange->id))
		strcpy(exchange->id, "none");
}

/* The request line's own words where the gateway has them; plain CGI has a
 * decoded path instead. */
static const char *raw_path(const struct exchange *exchange, bool *ret_encoded)
{
	const char *path = exchange_variable(exchange, "REQUEST_URI");

	*ret_encoded = *path != '\0';
	if (!*path)
		path = exchange_variable(exchange, "PATH_INFO");
	return *path ? path : exchange_variable(exchange, "SCRIPT_NAME");
}

static int read_target(struct exchange *exchange)
{
	bool encoded;
	const char *path = raw_path(exchange, &encoded);

	if (encoded)
		return target_parse(path, &exchange->target);
	return target_parse_decoded(path, exchange_variable(exchange, "QUERY_STRING"),
				    &exchange->target);
}

/* 0 with *ret_length set, SIZE_MAX if it was not said; -EINVAL. */
static int content_length(const struct exchange *exchange, size_t *ret_length)
{
	const char *text = exchange_variable(exchange, "CONTENT_LENGTH");
	unsigned long long value;
	char *end;

	*ret_length = SIZE_MAX;
	if (!*text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end)
		return -EINVAL;
	*ret_length = errno || value >= SIZE_MAX ? SIZE_MAX - 1 : (size_t)value;
	return 0;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool refuse_body(struct exchange *exchange, int status, const char *detail)
{
	exchange->gateway->abandon(exchange->gateway->context);
	answer_problem(exchange, status, detail);
	return false;
}

/* A length above the limit is refused by its value, before a byte is read. False when
 * the answer has been given. */
static bool check_length(struct exchange *exchange, size_t most)
{
	char detail[96];

	snprintf(detail, sizeof detail, "the body is larger than the %zu bytes that are accepted",
		 most);
	if (content_length(exchange, &exchange->body_expected))
		return refuse_body(exchange, 400, "Content-Length is not a number");
	if (exchange->body_expected != SIZE_MAX && exchange->body_expected > most)
		return refuse_body(exchange, 413, detail);
	return exchange->body.length <= most || refuse_body(exchange, 413, detail);
}

/* The whole body into memory. False when the answer has been given. */
static bool read_body(struct exchange *exchange)
{
	const struct gateway *gateway = exchange->gateway;
	struct buffer *body = &exchange->body;
	size_t most = exchange->config->body_bytes;
	long got = 1;

	if (exchange->route->flags & ROUTE_BODY_LATER)
		return check_length(exchange, exchange->config->upload_bytes);
	body->limit = most + 1; /* one byte more, to see that there is more */
	if (!check_length(exchange, most))
		return false;
	while (body->length < exchange->body_expected && got) {
		size_t room = smaller(smaller(exchange->body_expected, body->limit) - body->length,
				      READ_BYTES);

		if (buffer_reserve(body, room))
			return refuse_body(exchange, 503, "no memory for the body");
		got = gateway->read(gateway->context, body->data + body->length, room);
		if (got < 0)
			return refuse_body(exchange, 400, "the body could not be read");
		body->length += (size_t)got;
		if (body->length > most)
			return check_length(exchange, most);
	}
	if (exchange->body_expected != SIZE_MAX && body->length < exchange->body_expected)
		return refuse_body(exchange, 400, "the body ended early");
	return true;
}

/* ---- may this be served? ------------------------------------------------ */

static bool origin_allowed(const struct exchange *exchange, const char *origin)
{
	return !strcmp(exchange->config->environment, "development") ||
	       access_origin_listed(exchange->config->cors_origins, origin);
}

/* Headers that let a browser's page from an allowed origin read the answer. */
static void add_cors(struct exchange *exchange)
{
	const char *origin = exchange_variable(exchange, "HTTP_ORIGIN");
	char safe[256];

	if (!*origin)
		return;
	answer_header(exchange, "Vary", "Origin");
	if (!origin_allowed(exchange, origin))
		return;
	log_safe(text_of(origin), safe, sizeof safe);
	answer_header(exchange, "Access-Control-Allow-Origin", safe);
	answer_header(exchange, "Access-Control-Expose-Headers",
		      "X-Request-Id, Retry-After, ETag, Location, Content-Range");
	if (exchange->method != METHOD_OPTIONS)
		return;
	answer_header(exchange, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE");
	answer_header(exchange, "Access-Control-Allow-Headers",
		      "Content-Type, X-Request-Id, X-API-Key, Authorization, If-Match, "
		      "If-None-Match, Range, Last-Event-ID");
	answer_header(exchange, "Access-Control-Max-Age", "600");
}

/* A page of another origin may not change anything here, not even by the simple
 * requests that browsers send without asking. */
static bool is_foreign_page(const struct exchange *exchange)
{
	const char *origin = exchange_variable(exchange, "HTTP_ORIGIN");

	if (exchange->method == METHOD_GET || exchange->method == METHOD_HEAD ||
	    exchange->method == METHOD_OPTIONS || !*origin)
		return false;
	if (!strcmp(exchange_variable(exchange, "HTTP_SEC_FETCH_SITE"), "same-origin"))
		return false;
	return !access_origin_is_host(origin, exchange_variable(exchange, "HTTP_HOST")) &&
	       !origin_allowed(exchange, origin);
}

/* Allow, from the bits that route_find() gave. */
static void add_allow(struct exchange *exchange, unsigned allowed)
{
	char list[64] = "";

	for (int method = 0; method < METHOD_COUNT; method++) {
		if (!(allowed & 1u << method))
			continue;
		if (*list)
			strcat(list, ", ");
		strcat(list, http_method_name((enum method)method));
	}
	answer_header(exchange, "Allow", list);
}

/* Finds the route; false when the answer (404, 405, OPTIONS) has been given. */
static bool find_route(struct exchange *exchange)
{
	unsigned allowed;

	exchange->route = route_find(routes, routes_count, exchange, &allowed);
	if (exchange->route)
		return true;
	if (!allowed) {
		answer_problem(exchange, 404, "there is nothing at this path");
		return false;
	}
	add_allow(exchange, allowed | 1u << METHOD_OPTIONS);
	if (exchange->method == METHOD_OPTIONS)
		answer_nothing(exchange);
	else
		answer_problem(exchange, 405, "this path does not have this method");
	return false;
}

static bool may_be_served(struct exchange *exchange)
{
	if ((exchange->route->flags & ROUTE_PRIVATE) && !exchange->caller.near) {
		answer_problem(exchange, 403, "only for loopback and private addresses");
		return false;
	}
	if (is_foreign_page(exchange)) {
		answer_problem(exchange, 403,
			       "pages of this origin may not call; to allow it, add it to "
			       "CORS_ORIGINS where the service is started");
		return false;
	}
	return true;
}

static void handle(struct exchange *exchange)
{
	const char *host = exchange_variable(exchange, "HTTP_HOST");
	int failed;

	if (!access_host_allowed(exchange->config->allowed_hosts, host)) {
		answer_problem(exchange, 421,
			       "this host name is not served; to allow it, add it to ALLOWED_HOSTS "
			       "where the service is started (settings file, environment or .env)");
		return;
	}
	failed = read_target(exchange);
	if (failed) {
		answer_problem(exchange, failed == -ENAMETOOLONG ? 414 : 400,
			       "the path is not one that is served");
		return;
	}
	add_cors(exchange);
	if (find_route(exchange) && may_be_served(exchange) && read_body(exchange))
		exchange->route->handle(exchange);
}

static void refuse(struct exchange *exchange, const char *refusal)
{
	exchange->gateway->abandon(exchange->gateway->context);
	answer_header_number(exchange, "Retry-After", 1);
	answer_problem(exchange, 503, refusal);
}

bool exchange_wants_events(const char *accept)
{
	return strcasestr(accept, "text/event-stream") && !strcasestr(accept, "application/json") &&
	       http_accepts(accept, "text/event-stream");
}

enum exchange_lane exchange_lane(const char *method, const char *uri, const char *accept)
{
	struct exchange exchange = { .method = http_method(method) };
	const struct route *route;
	unsigned allowed;

	if (target_parse(uri, &exchange.target))
		return EXCHANGE_QUICK; /* an error is soon told */
	route = route_find(routes, routes_count, &exchange, &allowed);
	target_free(&exchange.target);
	if (route && (route->flags & ROUTE_EVENTS) && exchange_wants_events(accept))
		return EXCHANGE_EVENTS;
	return route && (route->flags & ROUTE_WORK) ? EXCHANGE_WORK : EXCHANGE_QUICK;
}

/* ---- the answer --------------------------------------------------------- */

/* The length has been promised: what ends early is cut, and the client sees it. */
static void send_stream(struct exchange *exchange)
{
	const struct gateway *gateway = exchange->gateway;
	int failed =
		exchange->stream.send(exchange->stream.context, gateway->write, gateway->context);

	if (failed)
		log_warn("event=answer_cut id=%s error=\"%s\"", exchange->id, strerror(-failed));
}

static void send_answer(struct exchange *exchange)
{
	const struct gateway *gateway = exchange->gateway;

	if (exchange->sent || exchange->status == HTTP_CLIENT_GONE || answer_head(exchange))
		return;
	if (!exchange->content_type || exchange->method == METHOD_HEAD)
		return;
	if (exchange->stream.send)
		send_stream(exchange);
	else
		(void)gateway->write(gateway->context, exchange->reply.data,
				     exchange->reply.length);
}

static double elapsed_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static void log_request(const struct exchange *exchange, const struct timespec *start)
{
	bool encoded;
	const char *uri = raw_path(exchange, &encoded);
	char method[16], path[200], client[64];

	/* The query stays out of the log: it may hold a whole program. */
	struct text shown = { uri, strcspn(uri, "?") };
	log_info("event=request id=%s client=%s method=%s path=\"%s\" status=%d dialect=%s ms=%.2f",
		 exchange->id, log_safe(text_of(exchange->caller.address), client, sizeof client),
		 log_safe(text_of(exchange_variable(exchange, "REQUEST_METHOD")), method,
			  sizeof method),
		 log_safe(shown, path, sizeof path), exchange->status,
		 exchange->route ? dialect_name(exchange->route->dialect) : "none",
		 elapsed_ms(start));
}

void exchange_serve(const struct config *config, const struct gateway *gateway,
		    struct executor_client *executor, const char *refusal)
{
	struct exchange exchange = { .config = config, .gateway = gateway, .executor = executor };
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	choose_id(&exchange);
	exchange.method = http_method(exchange_variable(&exchange, "REQUEST_METHOD"));
	caller_read(config, gateway->environment, &exchange.caller);
	if (refusal)
		refuse(&exchange, refusal);
	else
		handle(&exchange);
	send_answer(&exchange);
	log_request(&exchange, &start);
	target_free(&exchange.target);
	buffer_reset(&exchange.body);
	buffer_reset(&exchange.headers);
	buffer_reset(&exchange.reply);
	if (exchange.stream.free)
		exchange.stream.free(exchange.stream.context);
}
