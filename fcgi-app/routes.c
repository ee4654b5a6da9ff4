#include "fcgi-app/routes.h"

#include <string.h>

const struct route routes[] = {
	{ METHOD_GET, "/", service_ping, DIALECT_WORKSPACE, 0 },
	{ METHOD_GET, "/health", service_health, DIALECT_SERVICE, 0 },

	{ METHOD_GET, "/api", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/health", playground_health, DIALECT_PLAYGROUND, 0 },
	{ METHOD_POST, "/api/execute", playground_execute, DIALECT_PLAYGROUND, ROUTE_WORK },
	{ METHOD_GET, "/api/files", playground_list, DIALECT_PLAYGROUND, 0 },
	{ METHOD_POST, "/api/save", playground_save, DIALECT_PLAYGROUND, ROUTE_WORK },
	{ METHOD_GET, "/api/load/{filename}", playground_load, DIALECT_PLAYGROUND, 0 },
	{ METHOD_DELETE, "/api/delete/{filename}", playground_delete, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/executor", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/health", playground_health, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_POST, "/executor/execute", playground_execute, DIALECT_PLAYGROUND,
	  ROUTE_PRIVATE | ROUTE_WORK },

	{ METHOD_POST, "/execute/{sessionId}", repl_execute, DIALECT_REPL, ROUTE_WORK },
	{ METHOD_POST, "/reset/{sessionId}", repl_reset, DIALECT_REPL, 0 },

	{ METHOD_POST, "/write_file", workspaces_write, DIALECT_WORKSPACE, ROUTE_WORK },
	{ METHOD_GET, "/read_file", workspaces_read, DIALECT_WORKSPACE, ROUTE_WORK },
	{ METHOD_POST, "/delete_file", workspaces_delete, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/rename_file", workspaces_rename, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/run", workspaces_run, DIALECT_WORKSPACE, ROUTE_WORK },
	{ METHOD_POST, "/evaluate_code", workspaces_evaluate, DIALECT_WORKSPACE, ROUTE_WORK },
	{ METHOD_POST, "/fork_session", workspaces_fork, DIALECT_WORKSPACE, ROUTE_WORK },

	{ METHOD_POST, "/execute", strict_execute, DIALECT_STRICT, ROUTE_WORK },

	{ METHOD_GET, "/api/v1/info", service_info, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/live", service_live, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/ready", service_ready, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/execute", native_execute, DIALECT_NATIVE,
	  ROUTE_WORK | ROUTE_EVENTS },
	{ METHOD_POST, "/api/v1/sessions", sessions_create, DIALECT_NATIVE, ROUTE_WORK },
	{ METHOD_GET, "/api/v1/sessions", sessions_list, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}", sessions_show, DIALECT_NATIVE, 0 },
	{ METHOD_DELETE, "/api/v1/sessions/{id}", sessions_delete, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/execute", sessions_execute, DIALECT_NATIVE,
	  ROUTE_WORK | ROUTE_EVENTS },
	{ METHOD_POST, "/api/v1/sessions/{id}/run", sessions_run, DIALECT_NATIVE,
	  ROUTE_WORK | ROUTE_EVENTS },
	{ METHOD_POST, "/api/v1/sessions/{id}/evaluate", sessions_evaluate, DIALECT_NATIVE,
	  ROUTE_WORK },
	{ METHOD_POST, "/api/v1/sessions/{id}/interrupt", sessions_interrupt, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/reset", sessions_reset, DIALECT_NATIVE, ROUTE_WORK },
	{ METHOD_POST, "/api/v1/sessions/{id}/undo", sessions_undo, DIALECT_NATIVE, ROUTE_WORK },
	{ METHOD_GET, "/api/v1/sessions/{id}/variables", sessions_variables, DIALECT_NATIVE,
	  ROUTE_WORK },
	{ METHOD_GET, "/api/v1/sessions/{id}/history", sessions_history, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/cells", sessions_cells, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/cells/{cell}", sessions_cell, DIALECT_NATIVE,
	  ROUTE_EVENTS },
	{ METHOD_POST, "/api/v1/sessions/{id}/stdin", sessions_stdin, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files", session_files_list, DIALECT_NATIVE,
	  ROUTE_WORK },
	{ METHOD_POST, "/api/v1/sessions/{id}/files/rename", session_files_rename, DIALECT_NATIVE,
	  0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files/{path...}", session_files_get, DIALECT_NATIVE,
	  ROUTE_WORK },
	{ METHOD_PUT, "/api/v1/sessions/{id}/files/{path...}", session_files_put, DIALECT_NATIVE,
	  ROUTE_WORK | ROUTE_BODY_LATER },
	{ METHOD_DELETE, "/api/v1/sessions/{id}/files/{path...}", session_files_delete,
	  DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files.tar", session_archive_get, DIALECT_NATIVE,
	  ROUTE_WORK },
	{ METHOD_PUT, "/api/v1/sessions/{id}/files.tar", session_archive_put, DIALECT_NATIVE,
	  ROUTE_WORK | ROUTE_BODY_LATER },
};

const size_t routes_count = sizeof routes / sizeof *routes;

/* ---- finding one ----------------------------------------------------------- */

/* The pieces from one on as one text. They lie one behind the other in the
 * target's storage: the NULs between them become slashes, which nobody minds who
 * goes by the lengths. */
static struct text rest_of(struct target *target, size_t piece)
{
	struct text rest = target->pieces[piece];

	for (; piece + 1 < target->count; piece++) {
		const struct text *next = &target->pieces[piece + 1];

		target->storage[next->data - target->storage - 1] = '/';
		rest.length = (size_t)(next->data + next->length - rest.data);
	}
	return rest;
}

static bool is_rest(struct text wanted)
{
	return wanted.length > 5 && !memcmp(wanted.data + wanted.length - 4, "...}", 4);
}

static const char *const dialect_names[DIALECT_COUNT] = {
	[DIALECT_SERVICE] = "service", [DIALECT_PLAYGROUND] = "playground",
	[DIALECT_REPL] = "repl",       [DIALECT_WORKSPACE] = "workspace",
	[DIALECT_STRICT] = "strict",   [DIALECT_NATIVE] = "native",
};

const char *dialect_name(enum dialect dialect)
{
	return dialect_names[dialect];
}

/* Does the path have the pattern's form? Parameters are noted on the way; they
 * mean something only if it does. */
static bool matches(const char *pattern, struct target *target,
		    struct text parameters[ROUTE_PARAMETERS_MAX])
{
	size_t piece = 0, parameter = 0;

	for (const char *at = pattern; *at == '/'; piece++) {
		struct text wanted = { at + 1, strcspn(at + 1, "/") };

		if (piece == target->count)
			return false;
		struct text got = target->pieces[piece];
		if (*wanted.data == '{') {
			if (got.length == 0 || parameter == ROUTE_PARAMETERS_MAX)
				return false;
			if (is_rest(wanted)) {
				parameters[parameter] = rest_of(target, piece);
				return true;
			}
			parameters[parameter++] = got;
		} else if (got.length != wanted.length ||
			   memcmp(got.data, wanted.data, got.length) != 0) {
			return false;
		}
		at = wanted.data + wanted.length;
	}
	return piece == target->count;
}

const struct route *route_find(const struct route *table, size_t count, struct exchange *exchange,
			       unsigned *ret_allowed)
{
	enum method method = exchange->method == METHOD_HEAD ? METHOD_GET : exchange->method;
	struct text parameters[ROUTE_PARAMETERS_MAX] = { { 0 } };

	*ret_allowed = 0;
	for (size_t i = 0; i < count; i++) {
		if (!matches(table[i].pattern, &exchange->target, parameters))
			continue;
		if (table[i].method == method) {
			memcpy(exchange->parameters, parameters, sizeof parameters);
			return &table[i];
		}
		*ret_allowed |= 1u << table[i].method;
	}
	if (*ret_allowed & 1u << METHOD_GET)
		*ret_allowed |= 1u << METHOD_HEAD;
	return NULL;
}
