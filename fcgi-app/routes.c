#include "fcgi-app/handlers.h"
#include "fcgi-app/http/route.h"

const struct route routes[] = {
	{ METHOD_GET, "/", service_ping, DIALECT_WORKSPACE, 0 },
	{ METHOD_GET, "/health", service_health, DIALECT_SERVICE, 0 },

	{ METHOD_GET, "/api", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/health", playground_health, DIALECT_PLAYGROUND, 0 },
	{ METHOD_POST, "/api/execute", playground_execute, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/files", playground_list, DIALECT_PLAYGROUND, 0 },
	{ METHOD_POST, "/api/save", playground_save, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/load/{filename}", playground_load, DIALECT_PLAYGROUND, 0 },
	{ METHOD_DELETE, "/api/delete/{filename}", playground_delete, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/executor", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/health", playground_health, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_POST, "/executor/execute", playground_execute, DIALECT_PLAYGROUND, ROUTE_PRIVATE },

	{ METHOD_POST, "/execute/{sessionId}", repl_execute, DIALECT_REPL, 0 },
	{ METHOD_POST, "/reset/{sessionId}", repl_reset, DIALECT_REPL, 0 },

	{ METHOD_POST, "/write_file", workspaces_write, DIALECT_WORKSPACE, 0 },
	{ METHOD_GET, "/read_file", workspaces_read, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/delete_file", workspaces_delete, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/rename_file", workspaces_rename, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/run", workspaces_run, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/evaluate_code", workspaces_evaluate, DIALECT_WORKSPACE, 0 },
	{ METHOD_POST, "/fork_session", workspaces_fork, DIALECT_WORKSPACE, 0 },

	{ METHOD_POST, "/execute", strict_execute, DIALECT_STRICT, 0 },

	{ METHOD_GET, "/api/v1/info", service_info, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/live", service_live, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/ready", service_ready, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/execute", native_execute, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions", sessions_create, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions", sessions_list, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}", sessions_show, DIALECT_NATIVE, 0 },
	{ METHOD_DELETE, "/api/v1/sessions/{id}", sessions_delete, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/execute", sessions_execute, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/run", sessions_run, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/evaluate", sessions_evaluate, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/interrupt", sessions_interrupt, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/reset", sessions_reset, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/undo", sessions_undo, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/variables", sessions_variables, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/history", sessions_history, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files", session_files_list, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/sessions/{id}/files/rename", session_files_rename, DIALECT_NATIVE,
	  0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files/{path...}", session_files_get, DIALECT_NATIVE,
	  0 },
	{ METHOD_PUT, "/api/v1/sessions/{id}/files/{path...}", session_files_put, DIALECT_NATIVE,
	  0 },
	{ METHOD_DELETE, "/api/v1/sessions/{id}/files/{path...}", session_files_delete,
	  DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/sessions/{id}/files.tar", session_archive_get, DIALECT_NATIVE, 0 },
	{ METHOD_PUT, "/api/v1/sessions/{id}/files.tar", session_archive_put, DIALECT_NATIVE, 0 },
};

const size_t routes_count = sizeof routes / sizeof *routes;
