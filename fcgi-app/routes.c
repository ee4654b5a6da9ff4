#include "handlers.h"
#include "route.h"

const struct route routes[] = {
	{ METHOD_GET, "/", service_ping, DIALECT_WORKSPACE, 0 },
	{ METHOD_GET, "/health", service_health, DIALECT_SERVICE, 0 },

	{ METHOD_GET, "/api", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/", playground_root, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/api/health", playground_health, DIALECT_PLAYGROUND, 0 },
	{ METHOD_POST, "/api/execute", playground_execute, DIALECT_PLAYGROUND, 0 },
	{ METHOD_GET, "/executor", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/", playground_root, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_GET, "/executor/health", playground_health, DIALECT_PLAYGROUND, ROUTE_PRIVATE },
	{ METHOD_POST, "/executor/execute", playground_execute, DIALECT_PLAYGROUND, ROUTE_PRIVATE },

	{ METHOD_GET, "/api/v1/info", service_info, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/live", service_live, DIALECT_NATIVE, 0 },
	{ METHOD_GET, "/api/v1/health/ready", service_ready, DIALECT_NATIVE, 0 },
	{ METHOD_POST, "/api/v1/execute", native_execute, DIALECT_NATIVE, 0 },
};

const size_t routes_count = sizeof routes / sizeof *routes;
