/* routes.h - the one table of calls, and their handlers. */
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
	ROUTE_BODY_LATER = 8, /* the handler reads the body: up to upload_bytes (request.c) */
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

/* ---- handlers: one function a call -------------------------------------------------
 *
 * Each parses the request, asks, and gives exactly one answer. */

/* service.c */
void service_ping(struct exchange *exchange);
void service_health(struct exchange *exchange);
void service_live(struct exchange *exchange);
void service_ready(struct exchange *exchange);
void service_info(struct exchange *exchange);

/* native/runs.c */
void native_execute(struct exchange *exchange);
void sessions_execute(struct exchange *exchange);
void sessions_run(struct exchange *exchange);
void sessions_cells(struct exchange *exchange);
void sessions_cell(struct exchange *exchange);
void sessions_stdin(struct exchange *exchange);

/* native/sessions.c */
void sessions_create(struct exchange *exchange);
void sessions_list(struct exchange *exchange);
void sessions_show(struct exchange *exchange);
void sessions_evaluate(struct exchange *exchange);
void sessions_interrupt(struct exchange *exchange);
void sessions_reset(struct exchange *exchange);
void sessions_undo(struct exchange *exchange);
void sessions_variables(struct exchange *exchange);
void sessions_history(struct exchange *exchange);
void sessions_delete(struct exchange *exchange);
void session_archive_get(struct exchange *exchange);
void session_archive_put(struct exchange *exchange);

/* native/session_files.c */
void session_files_list(struct exchange *exchange);
void session_files_get(struct exchange *exchange);
void session_files_put(struct exchange *exchange);
void session_files_delete(struct exchange *exchange);
void session_files_rename(struct exchange *exchange);

/* dialects/playground.c */
void playground_root(struct exchange *exchange);
void playground_health(struct exchange *exchange);
void playground_execute(struct exchange *exchange);
void playground_list(struct exchange *exchange);
void playground_save(struct exchange *exchange);
void playground_load(struct exchange *exchange);
void playground_delete(struct exchange *exchange);

/* dialects/repl.c */
void repl_execute(struct exchange *exchange);
void repl_reset(struct exchange *exchange);

/* dialects/strict.c */
void strict_execute(struct exchange *exchange);

/* dialects/workspaces.c */
void workspaces_write(struct exchange *exchange);
void workspaces_read(struct exchange *exchange);
void workspaces_delete(struct exchange *exchange);
void workspaces_rename(struct exchange *exchange);
void workspaces_run(struct exchange *exchange);
void workspaces_evaluate(struct exchange *exchange);
void workspaces_fork(struct exchange *exchange);

#endif
