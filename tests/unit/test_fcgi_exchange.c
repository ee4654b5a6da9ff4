/* One request through everything but the executor, which is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/exchange.h"

enum { VARIABLES_MAX = 16 };

/* A gateway in memory: variables and a body in, the answer's bytes out. */
struct fake {
	char *variables[VARIABLES_MAX];
	const char *body;
	size_t body_length, body_at;
	bool abandoned;
	char answer[16384];
	size_t answer_length;
};

static struct config config;

static long fake_read(void *context, void *bytes, size_t capacity)
{
	struct fake *fake = context;
	size_t left = fake->body_length - fake->body_at;
	size_t length = left < capacity ? left : capacity;

	memcpy(bytes, fake->body + fake->body_at, length);
	fake->body_at += length;
	return (long)length;
}

static int fake_write(void *context, const void *bytes, size_t length)
{
	struct fake *fake = context;

	assert_true(fake->answer_length + length < sizeof fake->answer);
	memcpy(fake->answer + fake->answer_length, bytes, length);
	fake->answer_length += length;
	return 0;
}

static void fake_abandon(void *context)
{
	((struct fake *)context)->abandoned = true;
}

/* Serve, with `variables` as lines NAME=value. */
static struct fake *serve(const char *variables, const char *body, size_t length)
{
	static struct fake fake;
	static char copy[4096];
	struct executor_client *executor;
	size_t count = 0;

	fake = (struct fake){ .body = body, .body_length = length };
	snprintf(copy, sizeof copy, "%s", variables);
	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(count < VARIABLES_MAX - 1);
		fake.variables[count++] = line;
	}
	const struct gateway gateway = { .environment = fake.variables,
					 .hangup_fd = -1,
					 .context = &fake,
					 .read = fake_read,
					 .write = fake_write,
					 .abandon = fake_abandon };
	assert_int_equal(executor_client_new("unix:/nonexistent/executor.sock", &executor), 0);
	exchange_serve(&config, &gateway, executor, NULL);
	executor_client_free(executor);
	fake.answer[fake.answer_length] = '\0';
	return &fake;
}

static struct fake *get(const char *path, const char *more)
{
	char variables[2048];

	snprintf(variables, sizeof variables,
		 "REQUEST_METHOD=GET\nREQUEST_URI=%s\nREMOTE_ADDR=127.0.0.1\n%s", path, more);
	return serve(variables, "", 0);
}

static struct fake *post(const char *path, const char *body, const char *more)
{
	char variables[2048];

	snprintf(variables, sizeof variables,
		 "REQUEST_METHOD=POST\nREQUEST_URI=%s\nREMOTE_ADDR=127.0.0.1\nCONTENT_LENGTH=%zu\n%"
		 "s",
		 path, strlen(body), more);
	return serve(variables, body, strlen(body));
}

static void status_is(const struct fake *fake, int status)
{
	char wanted[32];

	snprintf(wanted, sizeof wanted, "Status: %d ", status);
	if (strncmp(fake->answer, wanted, strlen(wanted)) != 0)
		print_error("wanted %d: %s\n", status, fake->answer);
	assert_int_equal(strncmp(fake->answer, wanted, strlen(wanted)), 0);
}

static void has(const struct fake *fake, const char *part)
{
	if (!strstr(fake->answer, part))
		print_error("no %s in: %s\n", part, fake->answer);
	assert_non_null(strstr(fake->answer, part));
}

static void lacks(const struct fake *fake, const char *part)
{
	assert_null(strstr(fake->answer, part));
}

static void test_answers(void **state)
{
	struct fake *fake = get("/api/", "");

	(void)state;
	status_is(fake, 200);
	has(fake, "Content-Type: application/json\r\n");
	has(fake, "X-Request-Id: ");
	has(fake, "\r\n\r\n{\"message\":\"Python Playground API\"");
	status_is(get("/", ""), 200);
	has(get("/", ""), "\r\n\r\nping");
}

static void test_a_failed_executor_is_a_503(void **state)
{
	struct fake *fake = get("/api/health", "");

	(void)state;
	status_is(fake, 503);
	has(fake, "Retry-After: 1\r\n");
	has(fake, "application/problem+json");
	has(fake, "\"detail\":\"the executor is away\"");
	status_is(post("/api/execute", "{\"code\":\"1\"}", ""), 503);
}

static void test_request_ids(void **state)
{
	(void)state;
	has(get("/api/", "HTTP_X_REQUEST_ID=mine-1"), "X-Request-Id: mine-1\r\n");
	has(get("/api/", "HTTP_X_REQUEST_ID=a b\nREQUEST_ID=web"), "X-Request-Id: web\r\n");
	lacks(get("/api/", "HTTP_X_REQUEST_ID=<script>"), "<script>");
}

static void test_paths_and_methods(void **state)
{
	struct fake *fake;

	(void)state;
	status_is(get("/nope", ""), 404);
	status_is(get("/api/../api/health", ""), 400);
	status_is(get("*", ""), 400);
	fake = get("/api/execute", "");
	status_is(fake, 405);
	has(fake, "Allow: POST, OPTIONS\r\n");
	fake = serve("REQUEST_METHOD=OPTIONS\nREQUEST_URI=/api/health", "", 0);
	status_is(fake, 204);
	has(fake, "Allow: GET, HEAD, OPTIONS\r\n");
	fake = serve("REQUEST_METHOD=HEAD\nREQUEST_URI=/api/", "", 0);
	status_is(fake, 200);
	assert_string_equal(strstr(fake->answer, "\r\n\r\n"), "\r\n\r\n");
	status_is(serve("REQUEST_METHOD=FOOBAR\nREQUEST_URI=/api/", "", 0), 405);
	status_is(serve("REQUEST_METHOD=GET\nPATH_INFO=/api/", "", 0), 200);
}

static void test_foreign_hosts(void **state)
{
	(void)state;
	status_is(get("/api/", "HTTP_HOST=localhost:5000"), 200);
	status_is(get("/api/", "HTTP_HOST=10.0.0.1"), 200);
	status_is(get("/api/", "HTTP_HOST=rebind.evil.example"), 421);
	lacks(get("/api/", "HTTP_HOST=rebind.evil.example"), "evil");
}

static void test_cors(void **state)
{
	struct fake *fake;

	(void)state;
	fake = get("/api/", "HTTP_ORIGIN=https://good.example");
	has(fake, "Access-Control-Allow-Origin: https://good.example\r\n");
	has(fake, "Vary: Origin\r\n");
	fake = get("/api/", "HTTP_ORIGIN=https://evil.example");
	status_is(fake, 200);
	lacks(fake, "Access-Control-Allow-Origin");
	fake = serve("REQUEST_METHOD=OPTIONS\nREQUEST_URI=/api/execute\n"
		     "HTTP_ORIGIN=https://good.example\nHTTP_ACCESS_CONTROL_REQUEST_METHOD=POST",
		     "", 0);
	status_is(fake, 204);
	has(fake, "Access-Control-Allow-Headers: Content-Type");
	has(fake, "Access-Control-Allow-Methods: ");
}

static void test_foreign_pages_change_nothing(void **state)
{
	static const char body[] = "{\"code\":\"1\"}";

	(void)state;
	status_is(post("/api/execute", body, "HTTP_ORIGIN=https://evil.example"), 403);
	status_is(post("/api/execute", body, "HTTP_ORIGIN=null"), 403);
	status_is(post("/api/execute", body, "HTTP_ORIGIN=https://good.example"), 503);
	status_is(post("/api/execute", body,
		       "HTTP_ORIGIN=http://127.0.0.1:5000\nHTTP_HOST=127.0.0.1:5000"),
		  503);
	free(config.environment);
	config.environment = strdup("development");
	status_is(post("/api/execute", body, "HTTP_ORIGIN=https://evil.example"), 503);
	free(config.environment);
	config.environment = strdup("production");
}

static void test_private_paths(void **state)
{
	(void)state;
	status_is(get("/executor/", ""), 200);
	status_is(serve("REQUEST_METHOD=GET\nREQUEST_URI=/executor/\nREMOTE_ADDR=8.8.8.8", "", 0),
		  403);
	status_is(serve("REQUEST_METHOD=GET\nREQUEST_URI=/executor/", "", 0), 403);
	status_is(get("/executor/", "HTTP_X_FORWARDED_FOR=8.8.8.8"), 403);
	status_is(get("/api/v1/sessions", "HTTP_X_FORWARDED_FOR=127.0.0.1"), 403);
	status_is(get("/api/v1/sessions", "HTTP_X_FORWARDED_FOR=8.8.8.8\nHTTP_X_API_KEY=wrong"),
		  403);
	status_is(get("/api/v1/sessions", "HTTP_X_FORWARDED_FOR=8.8.8.8\nHTTP_X_API_KEY=the key"),
		  503);
	status_is(get("/api/v1/sessions",
		      "HTTP_X_FORWARDED_FOR=8.8.8.8\nHTTP_AUTHORIZATION=Bearer the key"),
		  503);
}

static void test_bodies(void **state)
{
	struct fake *fake;

	(void)state;
	status_is(post("/api/execute", "", ""), 400);
	status_is(post("/api/execute", "{", ""), 400);
	status_is(post("/api/execute", "[]", ""), 400);
	status_is(post("/api/execute", "{\"code\":NaN}", ""), 400);
	status_is(post("/api/execute", "{}", "CONTENT_TYPE=text/plain"), 415);
	status_is(post("/api/execute", "{}", "CONTENT_TYPE=application/json; charset=utf-16"), 415);
	status_is(post("/api/execute", "{}", "HTTP_CONTENT_ENCODING=gzip"), 415);
	status_is(post("/api/execute", "\xef\xbb\xbf{\"code\":\"1\"}",
		       "CONTENT_TYPE=application/json"),
		  503);

	fake = serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute\nCONTENT_LENGTH=2000", "", 0);
	status_is(fake, 413);
	assert_true(fake->abandoned);
	status_is(serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute\n"
			"CONTENT_LENGTH=99999999999999999999999",
			"", 0),
		  413);
	status_is(serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute\nCONTENT_LENGTH=-1", "", 0),
		  400);
	status_is(serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute\nCONTENT_LENGTH=9", "{}", 2),
		  400);
}

static void test_a_body_of_unknown_length(void **state)
{
	char body[1100];

	(void)state;
	memset(body, ' ', sizeof body);
	memcpy(body, "{\"code\":\"1\"}", 12);
	status_is(serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute", body, config.body_bytes),
		  503);
	status_is(
		serve("REQUEST_METHOD=POST\nREQUEST_URI=/api/execute", body, config.body_bytes + 1),
		413);
}

static void test_fields(void **state)
{
	struct fake *fake;

	(void)state;
	fake = post("/api/v1/execute", "{\"code\":5,\"timeout\":31,\"stdin\":[],\"memory_mb\":0.5}",
		    "");
	status_is(fake, 422);
	has(fake, "{\"field\":\"code\",\"message\":\"must be a string, not a number\"}");
	has(fake, "\"field\":\"timeout\"");
	has(fake, "\"field\":\"stdin\"");
	has(fake, "\"field\":\"memory_mb\"");
	status_is(post("/api/v1/execute", "{\"code\":\"\"}", ""), 422);
	status_is(post("/api/v1/execute", "{\"code\":\"a\\u0000\"}", ""), 422);
	status_is(post("/api/v1/execute", "{\"code\":\"1\",\"timeout\":0.5}", ""), 422);
	status_is(post("/api/v1/execute", "{\"code\":\"1\",\"timeout\":1e999}", ""), 422);
	status_is(post("/api/v1/execute", "{\"code\":\"1\",\"timeout\":true}", ""), 422);
	status_is(post("/api/v1/execute", "{\"code\":\"1\",\"memory_mb\":99999999999999999999999}",
		       ""),
		  422);
	status_is(post("/api/v1/execute", "{\"code\":\"1\",\"timeout\":30,\"stdin\":null}", ""),
		  503);
	fake = post("/api/v1/execute", "{\"code\":\"0123456789012345678901234567890123456789\"}",
		    "");
	status_is(fake, 413);
	has(fake, "at most 32 bytes");
	fake = post("/api/execute", "{\"code\":\"1\",\"language\":\"cobol\"}", "");
	status_is(fake, 400);
	has(fake, "known languages: python");
}

static void test_dialects_without_a_session(void **state)
{
	(void)state;
	status_is(post("/execute/-bad", "{\"code\":\"1\"}", ""), 400);
	status_is(post("/execute/ok", "{\"code\":\" \\n\"}", ""), 400);
	status_is(post("/execute/ok", "{\"code\":\"1\"}", ""), 503);
	status_is(post("/execute", "{\"code\":\"\"}", ""), 422);
	struct fake *fake = post("/execute", "{\"code\":\"1\",\"id\":\"../x\"}", "");
	status_is(fake, 200);
	has(fake, "\"error\":\"session not found\"");
	fake = post("/execute", "{\"code\":\"1\",\"id\":\"\"}", "");
	status_is(fake, 200);
	has(fake, "{\"id\":\"\",");
	status_is(post("/execute", "{\"code\":\"1\",\"id\":7}", ""), 422);
	status_is(post("/execute", "{\"code\":\"1\",\"id\":null}", ""), 503);
	status_is(post("/api/v1/sessions", "{\"limits\":{\"nope\":1}}", ""), 422);
	status_is(post("/api/v1/sessions", "{\"limits\":{\"wall_ms\":0}}", ""), 422);
	status_is(post("/api/v1/sessions", "{\"limits\":7}", ""), 422);
	status_is(post("/api/v1/sessions", "{\"idle_timeout\":\"x\"}", ""), 422);
	status_is(post("/api/v1/sessions", "", ""), 503);
	status_is(post("/api/v1/sessions/-x/undo", "", ""), 422);
}

static void test_judging_names_the_wrong_field(void **state)
{
	static const char code[] = "/evaluate_code";
	static const char native[] = "/api/v1/sessions/ada/evaluate";
	struct fake *fake;

	(void)state;
	fake = post(code,
		    "{\"code\":\"1\",\"entry_point\":\"f\",\"io_cases\":[{\"input\":\"\","
		    "\"output\":\"1\"},{\"input\":5,\"output\":\"1\"}]}",
		    "");
	status_is(fake, 400);
	has(fake, "\"field\":\"io_cases[1].input\",\"message\":\"must be a string");
	fake = post(native,
		    "{\"code\":\"1\",\"cases\":[{\"stdin\":\"\"},7,{\"stdin\":\"\","
		    "\"stdout\":\"\",\"tolerance\":-1}]}",
		    "");
	status_is(fake, 422);
	has(fake, "cases[0].stdout");
	has(fake, "{\"field\":\"cases[1]\",\"message\":\"must be an object\"}");
	has(fake, "cases[2].tolerance");
	fake = post(code, "{\"code\":\"1\",\"io_cases\":[{\"input\":\"\",\"output\":\"1\"}]}", "");
	status_is(fake, 400);
	has(fake, "\"field\":\"entry_point\"");
	fake = post(native, "{\"code\":\"1\",\"cases\":[{},{},{},{}]}", "");
	status_is(fake, 413);
	has(fake, "must have at most 3 items, not 4");
	status_is(post(code, "{\"code\":\"1\",\"io_cases\":{}}", ""), 400);
	status_is(post(code, "{\"code\":\"1\",\"id\":\"../x\"}", ""), 400);
	status_is(post(code, "{\"io_cases\":[]}", ""), 400);

	status_is(post(native, "{\"code\":\"1\"}", ""), 422);
	status_is(post(native, "{\"code\":\"1\",\"cases\":[]}", ""), 422);
	status_is(post(native, "{\"code\":\"1\",\"cases\":[{\"stdout\":\"\"}],\"timeout\":31}", ""),
		  422);
	/* nothing is wrong with these: they get as far as the executor */
	status_is(post(code, "{\"code\":\"1\"}", ""), 503);
	status_is(
		post(code, "{\"code\":\"1\",\"id\":\"\",\"entry_point\":\"\",\"io_cases\":[]}", ""),
		503);
	status_is(post(native, "{\"code\":\"1\",\"cases\":[{\"stdout\":\"\"}]}", ""), 503);
}

static int set_up(void **state)
{
	(void)state;
	config = (struct config){
		.environment = strdup("production"),
		.cors_origins = strdup("https://good.example"),
		.allowed_hosts = strdup(""),
		.trusted_proxies = strdup(""),
		.api_key = strdup("the key"),
		.user_files = strdup("/nonexistent"),
		.executor = strdup("unix:/nonexistent/executor.sock"),
		.body_bytes = 1024,
		.upload_bytes = 4096,
		.spool_bytes = 8192,
		.code_bytes = 32,
		.json_values = 100,
		.stdin_bytes = 32,
		.evaluate_cases = 3,
		.answer_ms = 1000,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(config.environment);
	free(config.cors_origins);
	free(config.allowed_hosts);
	free(config.trusted_proxies);
	free(config.api_key);
	free(config.user_files);
	free(config.executor);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_a_failed_executor_is_a_503),
		cmocka_unit_test(test_request_ids),
		cmocka_unit_test(test_paths_and_methods),
		cmocka_unit_test(test_foreign_hosts),
		cmocka_unit_test(test_cors),
		cmocka_unit_test(test_foreign_pages_change_nothing),
		cmocka_unit_test(test_private_paths),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_a_body_of_unknown_length),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_dialects_without_a_session),
		cmocka_unit_test(test_judging_names_the_wrong_field),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
