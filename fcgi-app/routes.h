/* routes.h - the one table of calls. */
#ifndef VIVARIUM_ROUTES_H
#define VIVARIUM_ROUTES_H

#include "fcgi-app/http/exchange.h"

enum dialect {
	DIALECT_SERVICE,    /* health, information */
	DIALECT_PLAYGROUND, /* A */
	DIALECT_REPL,       /* B */
	DIALECT_WORKSPACE,  /* C */
	DIALECT_STRICT,     /* D */
	DIALECT_NATIVE,     /* and E */
	DIALECT_COUNT
};

enum route_flag {
	ROUTE_PRIVATE = 1, /* loopback and private addresses only */
	ROUTE_WORK = 2,    /* runs code, waits for what runs it, or moves many bytes */
	ROUTE_EVENTS = 4,  /* the answer may be a stream of events */
	ROUTE_BODY_LATER = 8, /* the handler reads the body: up to upload_bytes (upload.h) */
};

struct route {
	enum method method;
	/* {name} stands for one piece, never an empty one; {name...}, at the end, for
	 * all that follow, given as one text with slashes between them. */
	const char *pattern;
	void (*handle)(struct exchange *exchange);
	enum dialect dialect;
	unsigned flags;
};

const char *dialect_name(enum dialect dialect);

/* The route for the exchange's method (a GET route serves HEAD) and target,
 * with the exchange's parameters set; NULL if there is none. *ret_allowed then
 * has a bit (1 << method) for every method that the path does have. */
const struct route *route_find(const struct route *table, size_t count, struct exchange *exchange,
			       unsigned *ret_allowed);

/* The application's own table. */
extern const struct route routes[];
extern const size_t routes_count;

#endif
