/* Who may call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
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
	assert_false(access_host_allowed("", "localhost"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_same_origin),
		cmocka_unit_test(test_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
