/* The table of calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fcgi-app/routes.h"

/* Find in the real table; the route's handler, or NULL. */
static void (*find(enum method method, const char *uri, struct exchange *exchange,
		   unsigned *ret_allowed))(struct exchange *)
{
	const struct route *route;

	*exchange = (struct exchange){ .method = method };
	assert_int_equal(target_parse(uri, &exchange->target), 0);
	route = route_find(routes, routes_count, exchange, ret_allowed);
	return route ? route->handle : NULL;
}

static void leads_to(enum method method, const char *uri, void (*handler)(struct exchange *))
{
	struct exchange exchange;
	unsigned allowed;

	assert_ptr_equal(find(method, uri, &exchange, &allowed), handler);
	target_free(&exchange.target);
}

static void test_found(void **state)
{
	(void)state;
	leads_to(METHOD_GET, "/", service_ping);
	leads_to(METHOD_HEAD, "/api/health", playground_health);
	leads_to(METHOD_GET, "/api/", playground_root);
	leads_to(METHOD_POST, "/api/execute?x=y", playground_execute);
	leads_to(METHOD_POST, "/execute", strict_execute);
	leads_to(METHOD_POST, "/execute/abc", repl_execute);
	leads_to(METHOD_POST, "/api/v1/sessions/x/undo", sessions_undo);
	leads_to(METHOD_DELETE, "/api/v1/sessions/x", sessions_delete);
	leads_to(METHOD_POST, "/api/v1/sessions/x/files/rename", session_files_rename);
	leads_to(METHOD_GET, "/api/v1/sessions/x/files/rename", session_files_get);
	leads_to(METHOD_PUT, "/api/v1/sessions/x/files/a/b/c", session_files_put);
	leads_to(METHOD_GET, "/api/v1/sessions/x/files.tar", session_archive_get);
}

static void test_rest(void **state)
{
	struct exchange exchange;
	unsigned allowed;

	(void)state;
	assert_ptr_equal(find(METHOD_DELETE, "/api/v1/sessions/x%2Fy/files/a%20b/%2e%2fc/d/",
			      &exchange, &allowed),
			 session_files_delete);
	assert_true(text_equals(exchange.parameters[0], "x/y"));
	assert_true(text_equals(exchange.parameters[1], "a b/./c/d/"));
	assert_int_equal(exchange.parameters[1].data[exchange.parameters[1].length], '\0');
	target_free(&exchange.target);
	assert_null(find(METHOD_POST, "/api/v1/sessions/x/files/a/b", &exchange, &allowed));
	assert_int_equal(allowed, 1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_PUT |
					  1u << METHOD_DELETE);
	target_free(&exchange.target);
	leads_to(METHOD_GET, "/api/v1/sessions/x/files/", NULL);
}

static void test_not_found(void **state)
{
	struct exchange exchange;
	unsigned allowed;

	(void)state;
	assert_null(find(METHOD_GET, "/nope", &exchange, &allowed));
	assert_int_equal(allowed, 0);
	target_free(&exchange.target);
	leads_to(METHOD_POST, "/execute/", NULL);
	leads_to(METHOD_POST, "/execute/a/b", NULL);
	leads_to(METHOD_POST, "/API/execute", NULL);
	leads_to(METHOD_GET, "/api/health/", NULL);
}

static void test_other_methods_are_told(void **state)
{
	struct exchange exchange;
	unsigned allowed;

	(void)state;
	assert_null(find(METHOD_PUT, "/api/health", &exchange, &allowed));
	assert_int_equal(allowed, 1u << METHOD_GET | 1u << METHOD_HEAD);
	target_free(&exchange.target);
	assert_null(find(METHOD_UNKNOWN, "/api/v1/sessions/x", &exchange, &allowed));
	assert_int_equal(allowed, 1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_DELETE);
	target_free(&exchange.target);
}

static void test_parameters(void **state)
{
	struct exchange exchange;
	unsigned allowed;

	(void)state;
	assert_non_null(find(METHOD_POST, "/execute/a%2Fb%20c", &exchange, &allowed));
	assert_true(text_equals(exchange.parameters[0], "a/b c"));
	assert_null(exchange.parameters[1].data);
	target_free(&exchange.target);
}

static void test_the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < routes_count; i++) {
		assert_non_null(routes[i].handle);
		assert_int_equal(routes[i].pattern[0], '/');
		assert_true(routes[i].method != METHOD_HEAD && routes[i].method != METHOD_OPTIONS);
		assert_non_null(dialect_name(routes[i].dialect));
		for (size_t j = 0; j < i; j++)
			assert_false(routes[i].method == routes[j].method &&
				     !strcmp(routes[i].pattern, routes[j].pattern));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),      cmocka_unit_test(test_rest),
		cmocka_unit_test(test_not_found),  cmocka_unit_test(test_other_methods_are_told),
		cmocka_unit_test(test_parameters), cmocka_unit_test(test_the_table_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
