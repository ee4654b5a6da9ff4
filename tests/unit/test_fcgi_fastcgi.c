/* Records of a connection, whole, in pieces and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fcgi-app/http/fastcgi.h"

#define RECORD(type, id, length) "\1" type "\0" id "\0" length "\0\0"
#define BEGIN RECORD("\1", "\1", "\10") "\0\1\1\0\0\0\0\0"
#define END_PARAMS RECORD("\4", "\1", "\0")
#define PAIR "\1\2Abc"
#define TWO_PAIRS                                                                                  \
	BEGIN RECORD("\4", "\1", "\3") "\1\2A" RECORD("\4", "\1", "\6") "bc\2\0Bd" END_PARAMS
#define GOOD BEGIN RECORD("\4", "\1", "\5") PAIR END_PARAMS

struct wire {
	struct fastcgi fastcgi;
	int peer;
};

static struct wire *open_wire(void)
{
	struct wire *wire = calloc(1, sizeof *wire);
	int pair[2];

	assert_non_null(wire);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fastcgi_init(&wire->fastcgi, pair[0]);
	wire->peer = pair[1];
	return wire;
}

static void close_wire(struct wire *wire)
{
	fastcgi_free(&wire->fastcgi);
	close(wire->fastcgi.fd);
	close(wire->peer);
	free(wire);
}

static int head_of(const char *bytes, size_t length)
{
	struct wire *wire = open_wire();
	int got;

	assert_int_equal(send(wire->peer, bytes, length, 0), length);
	got = fastcgi_receive_head(&wire->fastcgi);
	close_wire(wire);
	return got;
}

#define HEAD_IS(bytes, expected) assert_int_equal(head_of(bytes, sizeof(bytes) - 1), expected)

static void test_a_head(void **state)
{
	struct wire *wire = open_wire();

	(void)state;
	send(wire->peer, TWO_PAIRS, sizeof(TWO_PAIRS) - 1, 0);
	assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 1);
	assert_true(wire->fastcgi.keep);
	assert_string_equal(wire->fastcgi.environment[0], "A=bc");
	assert_string_equal(wire->fastcgi.environment[1], "Bd=");
	assert_null(wire->fastcgi.environment[2]);
	fastcgi_next(&wire->fastcgi);
	assert_null(wire->fastcgi.environment);
	send(wire->peer, BEGIN END_PARAMS, sizeof(BEGIN END_PARAMS) - 1, 0);
	assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 1);
	assert_null(wire->fastcgi.environment[0]);
	close_wire(wire);
}

static void test_a_head_byte_by_byte(void **state)
{
	struct wire *wire = open_wire();

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) - 1; i++) {
		assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 0);
		assert_int_equal(fastcgi_has_begun(&wire->fastcgi), i > 0);
		send(wire->peer, GOOD + i, 1, 0);
	}
	assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 1);
	close_wire(wire);
}

static void test_broken_heads(void **state)
{
	(void)state;
	HEAD_IS("\2", 0);
	HEAD_IS("\2\1\0\1\0\10\0\0", -EPROTO);                          /* the version */
	HEAD_IS(RECORD("\1", "\0", "\10"), -EPROTO);                    /* id 0 */
	HEAD_IS(RECORD("\11", "\0", "\0"), -EPROTO);                    /* management */
	HEAD_IS(RECORD("\4", "\1", "\0"), -EPROTO);                     /* no BEGIN_REQUEST */
	HEAD_IS(RECORD("\1", "\1", "\7") "1234567", -EPROTO);           /* its length */
	HEAD_IS(RECORD("\1", "\1", "\10") "\0\2\1\0\0\0\0\0", -EPROTO); /* an authorizer */
	HEAD_IS(BEGIN RECORD("\4", "\2", "\0"), -EPROTO);               /* another request */
	HEAD_IS(BEGIN RECORD("\5", "\1", "\0"), -EPROTO);               /* STDIN too early */
	HEAD_IS(BEGIN BEGIN, -EPROTO);
	HEAD_IS(BEGIN RECORD("\2", "\1", "\0"), -EPROTO); /* aborted */
	/* pairs: too short, a length that is not there, one that is far too large */
	HEAD_IS(BEGIN RECORD("\4", "\1", "\4") "\1\3Ab" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\1") "\1" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\2") "\1\200" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\11") "\377\377\377\377\377\377\377\377A" END_PARAMS,
		-EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\6") "\1\200\0\0\2A" END_PARAMS, -EPROTO);
	/* names and values that would be others to somebody else */
	HEAD_IS(BEGIN RECORD("\4", "\1", "\3") "\0\1b" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\4") "\2\0A=" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\5") "\1\2A\0c" END_PARAMS, -EPROTO);
	HEAD_IS(BEGIN RECORD("\4", "\1", "\5") PAIR RECORD("\4", "\1", "\0"), 1);
}

static void test_a_head_that_is_too_large(void **state)
{
	static uint8_t record[8 + 0xffff] = { 1, 4, 0, 1, 0xff, 0xff };
	struct wire *wire = open_wire();
	int got = 0;

	(void)state;
	send(wire->peer, BEGIN, sizeof(BEGIN) - 1, 0);
	for (int i = 0; i < 3 && !got; i++) {
		send(wire->peer, record, sizeof record, 0);
		got = fastcgi_receive_head(&wire->fastcgi);
	}
	assert_int_equal(got, -EMSGSIZE);
	close_wire(wire);
}

static void test_a_body(void **state)
{
	static const char body[] =
		RECORD("\5", "\1", "\3") "abc\1\5\0\1\0\2\3\0dePPP" RECORD("\5", "\1", "\0");
	struct wire *wire = open_wire();
	char bytes[8];

	(void)state;
	for (int round = 0; round < 2; round++) { /* on a kept connection */
		send(wire->peer, GOOD, sizeof(GOOD) - 1, 0);
		assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 1);
		send(wire->peer, body, sizeof body - 1, 0);
		assert_int_equal(fastcgi_read(&wire->fastcgi, bytes, 2), 2);
		assert_int_equal(fastcgi_read(&wire->fastcgi, bytes + 2, 6), 1);
		assert_int_equal(fastcgi_read(&wire->fastcgi, bytes + 3, 5), 2);
		assert_memory_equal(bytes, "abcde", 5);
		assert_int_equal(fastcgi_read(&wire->fastcgi, bytes, 8), 0);
		assert_int_equal(fastcgi_read(&wire->fastcgi, bytes, 8), 0);
		fastcgi_next(&wire->fastcgi);
		assert_false(fastcgi_has_begun(&wire->fastcgi));
	}
	close_wire(wire);
}

static void body_fails(const char *bytes, size_t length, int expected)
{
	struct wire *wire = open_wire();
	char got[8];

	send(wire->peer, GOOD, sizeof(GOOD) - 1, 0);
	assert_int_equal(fastcgi_receive_head(&wire->fastcgi), 1);
	send(wire->peer, bytes, length, 0);
	shutdown(wire->peer, SHUT_WR);
	assert_int_equal(fastcgi_read(&wire->fastcgi, got, sizeof got), expected);
	close_wire(wire);
}

#define BODY_FAILS(bytes, expected) body_fails(bytes, sizeof(bytes) - 1, expected)

static void test_broken_bodies(void **state)
{
	(void)state;
	BODY_FAILS("", -ECONNRESET);
	BODY_FAILS("\1\5\0", -ECONNRESET);
	BODY_FAILS(RECORD("\5", "\1", "\3"), -ECONNRESET);
	BODY_FAILS(RECORD("\2", "\1", "\0"), -ECANCELED);
	BODY_FAILS(RECORD("\11", "\0", "\0"), -EPROTO); /* management, within a request */
	BODY_FAILS(RECORD("\4", "\1", "\0"), -EPROTO);
	BODY_FAILS(RECORD("\5", "\2", "\0"), -EPROTO);
	BODY_FAILS(BEGIN, -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_head),
		cmocka_unit_test(test_a_head_byte_by_byte),
		cmocka_unit_test(test_broken_heads),
		cmocka_unit_test(test_a_head_that_is_too_large),
		cmocka_unit_test(test_a_body),
		cmocka_unit_test(test_broken_bodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
