/* Who may call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "fcgi-app/http/access.h"

static void test_hosts(void **state)
{
	static const char allowed[] = "localhost, play.example.org .example.net";

	(void)state;
	assert_true(access_host_allowed(allowed, ""));
	assert_true(access_host_allowed(allowed, "localhost"));
	assert_true(access_host_allowed(allowed, "LOCALHOST:5000"));
	assert_true(access_host_allowed(allowed, "127.0.0.1:5000"));
	assert_true(access_host_allowed(allowed, "203.0.113.9"));
	assert_true(access_host_allowed(allowed, "[::1]:5000"));
	assert_true(access_host_allowed(allowed, "play.example.org."));
	assert_true(access_host_allowed(allowed, "a.example.net"));
	assert_true(access_host_allowed("*", "anything.example"));

	assert_false(access_host_allowed(allowed, "rebind.evil.example"));
	assert_false(access_host_allowed(allowed, "localhost.evil.example"));
	assert_false(access_host_allowed(allowed, "example.net"));
	assert_false(access_host_allowed(allowed, "badexample.net"));
	assert_false(access_host_allowed(allowed, "127.0.0.1.evil.example"));
	assert_false(access_host_allowed(allowed, "localhost@evil.example"));
	assert_false(access_host_allowed(allowed, "localhost:x"));
	assert_false(access_host_allowed(allowed, "[::1"));
	assert_false(access_host_allowed(allowed, "[::1]x"));
	assert_false(access_host_allowed(allowed, "[evil]"));
	assert_true(access_host_allowed("", "localhost"));
	assert_true(access_host_allowed("play.example.org", "localhost:5000"));
	assert_false(access_host_allowed("", "play.example.org"));
}

static void test_origins(void **state)
{
	static const char listed[] = "https://a.example, http://b.example:8080/";

	(void)state;
	assert_true(access_origin_listed(listed, "https://a.example"));
	assert_true(access_origin_listed(listed, "HTTPS://A.example"));
	assert_true(access_origin_listed(listed, "http://b.example:8080"));
	assert_false(access_origin_listed(listed, "http://a.example"));
	assert_false(access_origin_listed(listed, "https://a.example.evil"));
	assert_false(access_origin_listed(listed, "https://a.example:1"));
	assert_false(access_origin_listed(listed, "null"));
	assert_false(access_origin_listed("", ""));
	assert_true(access_origin_listed("*", "https://x"));
}

static void test_same_origin(void **state)
{
	(void)state;
	assert_true(access_origin_is_host("http://127.0.0.1:5000", "127.0.0.1:5000"));
	assert_true(access_origin_is_host("http://a.example", "A.example:80"));
	assert_true(access_origin_is_host("https://a.example", "a.example"));
	assert_true(access_origin_is_host("http://[::1]:5000", "[::1]:5000"));
	assert_false(access_origin_is_host("http://127.0.0.1:50000", "127.0.0.1:5000"));
	assert_false(access_origin_is_host("http://localhost:5000@evil", "localhost:5000"));
	assert_false(access_origin_is_host("null", "null"));
	assert_false(access_origin_is_host("file://", ""));
	assert_false(access_origin_is_host("http://", ""));
	assert_false(access_origin_is_host("http://[::1]:5000.evil", "[::1]:5000"));
}

static void test_addresses(void **state)
{
	(void)state;
	assert_true(access_address_is_private("127.0.0.1"));
	assert_true(access_address_is_private("10.1.2.3"));
	assert_true(access_address_is_private("172.16.0.1"));
	assert_true(access_address_is_private("172.31.255.255"));
	assert_true(access_address_is_private("192.168.1.1"));
	assert_true(access_address_is_private("169.254.1.1"));
	assert_true(access_address_is_private("::1"));
	assert_true(access_address_is_private("fe80::1"));
	assert_true(access_address_is_private("fd00::1"));
	assert_true(access_address_is_private("::ffff:10.0.0.1"));
	assert_true(access_address_is_private("unix:"));
	assert_false(access_address_is_private(""));
	assert_false(access_address_is_private("8.8.8.8"));
	assert_false(access_address_is_private("172.32.0.1"));
	assert_false(access_address_is_private("172.15.0.1"));
	assert_false(access_address_is_private("192.169.0.1"));
	assert_false(access_address_is_private("2001:db8::1"));
	assert_false(access_address_is_private("::ffff:8.8.8.8"));
	assert_true(access_address_is_loopback("127.9.9.9"));
	assert_true(access_address_is_loopback("::1"));
	assert_false(access_address_is_loopback("10.0.0.1"));
	assert_false(access_address_is_loopback("::2"));
}

static void test_networks(void **state)
{
	static const char listed[] = "10.0.0.0/8, 192.0.2.7 2001:db8::/33";

	(void)state;
	assert_true(access_address_listed(listed, "10.255.0.1"));
	assert_true(access_address_listed(listed, "192.0.2.7"));
	assert_true(access_address_listed(listed, "::ffff:10.1.1.1"));
	assert_true(access_address_listed(listed, "2001:db8:7fff::1"));
	assert_false(access_address_listed(listed, "2001:db8:8000::1"));
	assert_false(access_address_listed(listed, "11.0.0.1"));
	assert_false(access_address_listed(listed, "192.0.2.8"));
	assert_false(access_address_listed(listed, "unix:"));
	assert_false(access_address_listed(listed, ""));
	assert_false(access_address_listed("", "10.0.0.1"));
	assert_true(access_address_listed("0.0.0.0/0", "8.8.8.8"));
	assert_false(access_address_listed("0.0.0.0/0", "2001::1"));

	assert_true(access_addresses_valid(listed));
	assert_true(access_addresses_valid(""));
	assert_false(access_addresses_valid("10.0.0.0/33"));
	assert_false(access_addresses_valid("10.0.0.0/"));
	assert_false(access_addresses_valid("10.0.0.0/-1"));
	assert_false(access_addresses_valid("::/129"));
	assert_false(access_addresses_valid("proxy.example"));
}

static struct caller read_caller(const char *key, const char *peer, const char *header)
{
	const struct config config = { .trusted_proxies = "127.0.0.2 10.0.0.0/8",
				       .api_key = (char *)key };
	char remote[64];
	char *environment[] = { remote, (char *)header, NULL };
	struct caller caller;

	snprintf(remote, sizeof remote, "REMOTE_ADDR=%s", peer);
	caller_read(&config, environment, &caller);
	return caller;
}

static void test_callers(void **state)
{
	static const char *const proxy_headers[] = { "HTTP_X_FORWARDED_FOR=127.0.0.1",
						     "HTTP_X_REAL_IP=127.0.0.1", "HTTP_VIA=1.1 x",
						     "HTTP_FORWARDED=for=127.0.0.1" };
	struct caller caller;

	(void)state;
	caller = read_caller("", "127.0.0.1", NULL);
	assert_true(caller.near && caller.operator);
	caller = read_caller("", "192.168.0.1", NULL);
	assert_true(caller.near && !caller.operator);
	for (size_t i = 0; i < sizeof proxy_headers / sizeof *proxy_headers; i++) {
		caller = read_caller("", "127.0.0.1", proxy_headers[i]);
		assert_true(!caller.near && !caller.operator);
		assert_string_equal(caller.address, "127.0.0.1");
	}
	/* with a key, being near is not enough */
	assert_false(read_caller("k", "127.0.0.1", NULL).operator);
	assert_true(read_caller("k", "8.8.8.8", "HTTP_X_API_KEY=k").operator);
	assert_false(read_caller("k", "127.0.0.1", "HTTP_X_API_KEY=").operator);
	assert_false(read_caller("k", "127.0.0.1", "HTTP_X_API_KEY=kk").operator);
	/* a trusted proxy speaks for its client */
	caller = read_caller("", "127.0.0.2", "HTTP_X_FORWARDED_FOR=127.0.0.1, 8.8.8.8, 10.1.1.1");
	assert_string_equal(caller.address, "8.8.8.8");
	assert_true(!caller.near && !caller.operator);
	caller = read_caller("", "127.0.0.2", "HTTP_X_FORWARDED_FOR=192.168.7.7");
	assert_string_equal(caller.address, "192.168.7.7");
	assert_true(caller.near);
	caller = read_caller("", "127.0.0.2", "HTTP_X_FORWARDED_FOR=10.1.1.1");
	assert_true(!caller.near && !caller.operator);
	caller = read_caller("", "127.0.0.2", "HTTP_X_FORWARDED_FOR=nonsense");
	assert_string_equal(caller.address, "127.0.0.2");
	assert_true(!caller.near && !caller.operator);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),       cmocka_unit_test(test_origins),
		cmocka_unit_test(test_same_origin), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_networks),    cmocka_unit_test(test_callers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
