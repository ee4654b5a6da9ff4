/* Buffers, fields and frames: what crosses the socket, well-formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "common/message.h"
#include "common/owned.h"

/* ---- buffers ------------------------------------------------------------ */

static void test_buffer_grows_to_its_limit(void **state)
{
	AUTO_BUFFER buffer = BUFFER_INIT(1000);
	uint8_t bytes[600] = { 1 };

	(void)state;
	assert_int_equal(buffer_append(&buffer, bytes, 600), 0);
	assert_int_equal(buffer_append(&buffer, bytes, 401), -EMSGSIZE);
	assert_int_equal(buffer.length, 600);
	assert_int_equal(buffer_append(&buffer, bytes, 400), 0);
	assert_int_equal(buffer_reserve(&buffer, 1), -EMSGSIZE);
	assert_int_equal(buffer_reserve(&buffer, 0), 0);
	assert_int_equal(buffer_reserve(&buffer, SIZE_MAX), -EMSGSIZE);
	assert_true(buffer.capacity <= 1000);
}

static void test_buffer_shorten(void **state)
{
	AUTO_BUFFER buffer = BUFFER_INIT(1 << 20);

	(void)state;
	assert_int_equal(buffer_append(&buffer, "abcdef", 6), 0);
	assert_int_equal(buffer_reserve(&buffer, 1 << 16), 0);
	buffer_shorten(&buffer, 7);
	assert_int_equal(buffer.length, 6);
	buffer_shorten(&buffer, 3);
	assert_int_equal(buffer.capacity, 3);
	assert_int_equal(buffer_append(&buffer, "x", 1), 0);
	assert_memory_equal(buffer.data, "abcx", 4);
	buffer_shorten(&buffer, 0);
	assert_int_equal(buffer.length, 0);
}

static void test_buffer_consume(void **state)
{
	AUTO_BUFFER buffer = BUFFER_INIT(0);

	(void)state;
	assert_int_equal(buffer_append(&buffer, "abcdef", 6), 0);
	buffer_consume(&buffer, 2);
	assert_int_equal(buffer.length, 4);
	assert_memory_equal(buffer.data, "cdef", 4);
	buffer_consume(&buffer, 0);
	assert_int_equal(buffer.length, 4);
	buffer_consume(&buffer, 5);
	assert_int_equal(buffer.length, 0);
	assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
	buffer_reset(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.capacity, 0);
}

/* ---- fields ------------------------------------------------------------- */

static void test_fields_round(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct fields_reader reader;
	struct field_view field;
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_int_equal(fields_put_text(&list, FIELD_PROFILE, "native"), 0);
	assert_int_equal(fields_put_text(&list, FIELD_NOTE, NULL), 0);
	assert_int_equal(fields_put_number(&list, FIELD_WALL_MS, UINT64_MAX - 1), 0);
	assert_int_equal(fields_put_bytes(&list, FIELD_CODE, "a\0b", 3), 0);
	assert_int_equal(fields_put_bytes(&list, FIELD_STDIN, NULL, 0), 0);
	assert_int_equal(fields_check(list.data, list.length), 0);

	fields_open(&reader, list.data, list.length);
	assert_int_equal(fields_next(&reader, &field), 1);
	assert_int_equal(field.tag, FIELD_PROFILE);
	text = field_text(&field);
	assert_string_equal(text, "native");
	assert_int_equal(fields_next(&reader, &field), 1);
	assert_true(field_number(&field) == UINT64_MAX - 1);
	assert_int_equal(fields_next(&reader, &field), 1);
	assert_int_equal(field.length, 3);
	assert_int_equal(fields_next(&reader, &field), 1);
	assert_int_equal(field.length, 0);
	assert_int_equal(fields_next(&reader, &field), 0);
	assert_int_equal(fields_next(&reader, &field), 0);

	assert_int_equal(fields_find(list.data, list.length, FIELD_CODE, &field), 1);
	assert_memory_equal(field.value, "a\0b", 3);
	assert_int_equal(fields_find(list.data, list.length, FIELD_NOTE, &field), 0);
	assert_int_equal(fields_number(list.data, list.length, FIELD_CPU_MS, 7), 7);
	assert_int_equal(fields_check(NULL, 0), 0);
}

static void test_fields_first_of_a_kind_counts(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);

	(void)state;
	fields_put_number(&list, FIELD_WALL_MS, 1);
	fields_put_number(&list, FIELD_WALL_MS, 2);
	assert_int_equal(fields_number(list.data, list.length, FIELD_WALL_MS, 0), 1);
}

static void test_fields_limit(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(20);

	(void)state;
	assert_int_equal(fields_put_number(&list, FIELD_WALL_MS, 1), 0);
	assert_int_equal(fields_put_bytes(&list, FIELD_CODE, "x", 1), -EMSGSIZE);
	assert_int_equal(list.length, 16);
	assert_int_equal(fields_check(list.data, list.length), 0);
}

static void check_bad(const void *bytes, size_t length)
{
	AUTO_FREE uint8_t *copy = malloc(length); /* so that reading past it is seen */
	struct field_view field;

	memcpy(copy, bytes, length);
	assert_int_equal(fields_check(copy, length), -EBADMSG);
	assert_true(fields_find(copy, length, FIELD_NAME, &field) <= 0);
}

static void test_fields_malformed(void **state)
{
	static const uint8_t zero_not_zero[] = { FIELD_CODE, 0, 1, 0, 0, 0, 0, 0 };
	static const uint8_t too_long[] = { FIELD_CODE, 0, 0, 0, 2, 0, 0, 0, 'x' };
	static const uint8_t huge[] = { FIELD_CODE, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'x' };
	static const uint8_t short_number[] = { FIELD_WALL_MS, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0 };
	static const uint8_t long_number[] = {
		FIELD_WALL_MS, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0
	};
	static const uint8_t unknown[] = { 0xff, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t far_unknown[] = { 0xff, 0xff, 0, 0, 0, 0, 0, 0 };
	static const uint8_t none[] = { 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t bad_text[] = { FIELD_PROFILE, 0, 0, 0, 1, 0, 0, 0, 0x80 };
	static const uint8_t nul_text[] = { FIELD_PROFILE, 0, 0, 0, 2, 0, 0, 0, 'a', 0 };

	(void)state;
	for (size_t length = 1; length < FIELD_HEADER_BYTES; length++)
		check_bad(too_long, length);
	check_bad(zero_not_zero, sizeof zero_not_zero);
	check_bad(too_long, sizeof too_long);
	check_bad(huge, sizeof huge);
	check_bad(short_number, sizeof short_number);
	check_bad(long_number, sizeof long_number);
	check_bad(unknown, sizeof unknown);
	check_bad(far_unknown, sizeof far_unknown);
	check_bad(none, sizeof none);
	check_bad(bad_text, sizeof bad_text);
	check_bad(nul_text, sizeof nul_text);
}

/* ---- UTF-8 -------------------------------------------------------------- */

static void test_utf8(void **state)
{
	static const char *const valid[] = {
		"",
		"plain",
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		"a\xe2\x82\xac"
		"b",
	};
	static const char *const invalid[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2"
		"a",
		"\xe0\x9f\xbf",
		"\xe0\xa0",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"a\xe2\x82",
		"\xe2\x28\xa1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
		assert_true(utf8_valid(valid[i], strlen(valid[i])));
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
		assert_false(utf8_valid(invalid[i], strlen(invalid[i])));
	assert_true(utf8_valid("a\0b", 3));
}

/* ---- frames ------------------------------------------------------------- */

static void test_frame_round(void **state)
{
	AUTO_BUFFER stream = BUFFER_INIT(0);
	struct frame_header header;
	const uint8_t *payload;

	(void)state;
	assert_int_equal(frame_append(&stream, FRAME_STDOUT, 0xdeadbeef, "hello", 5), 0);
	assert_int_equal(frame_append(&stream, FRAME_REPLY, 7, NULL, 0), 0);
	assert_int_equal(frame_parse(&stream, 5, &header, &payload), 1);
	assert_int_equal(header.type, FRAME_STDOUT);
	assert_true(header.number == 0xdeadbeef);
	assert_int_equal(header.length, 5);
	assert_memory_equal(payload, "hello", 5);
	buffer_consume(&stream, FRAME_HEADER_BYTES + header.length);
	assert_int_equal(frame_parse(&stream, 5, &header, &payload), 1);
	assert_int_equal(header.length, 0);
	buffer_consume(&stream, FRAME_HEADER_BYTES);
	assert_int_equal(frame_parse(&stream, 5, &header, &payload), 0);
}

static void test_frame_in_pieces(void **state)
{
	AUTO_BUFFER whole = BUFFER_INIT(0);
	AUTO_BUFFER input = BUFFER_INIT(0);
	struct frame_header header;
	const uint8_t *payload;

	(void)state;
	frame_append(&whole, FRAME_INFO, 1, "abc", 3);
	for (size_t i = 0; i < whole.length; i++) {
		assert_int_equal(frame_parse(&input, 3, &header, &payload), 0);
		buffer_append(&input, whole.data + i, 1);
	}
	assert_int_equal(frame_parse(&input, 3, &header, &payload), 1);
}

static void test_frame_refusals(void **state)
{
	uint8_t bytes[FRAME_HEADER_BYTES];
	struct frame_header header = { .length = 10,
				       .version = PROTOCOL_VERSION,
				       .type = FRAME_INFO };
	struct frame_header got;

	(void)state;
	frame_encode_header(&header, bytes);
	assert_int_equal(frame_decode_header(bytes, 10, &got), 0);
	assert_int_equal(frame_decode_header(bytes, 9, &got), -EMSGSIZE);
	bytes[4]++;
	assert_int_equal(frame_decode_header(bytes, 10, &got), -EPROTO);
	bytes[4]--;
	bytes[6] = 1;
	assert_int_equal(frame_decode_header(bytes, 10, &got), -EPROTO);
	bytes[6] = 0;
	bytes[7] = 1;
	assert_int_equal(frame_decode_header(bytes, 10, &got), -EPROTO);
	header.length = UINT32_MAX;
	frame_encode_header(&header, bytes);
	assert_int_equal(frame_decode_header(bytes, FRAME_REQUEST_MAX, &got), -EMSGSIZE);
}

static void test_frame_does_not_fit(void **state)
{
	AUTO_BUFFER stream = BUFFER_INIT(FRAME_HEADER_BYTES + 3);

	(void)state;
	assert_int_equal(frame_append(&stream, FRAME_INFO, 1, "abcd", 4), -EMSGSIZE);
	assert_int_equal(stream.length, 0);
	assert_int_equal(frame_append(&stream, FRAME_INFO, 1, "abc", 3), 0);
}

static void test_frame_descriptor(void **state)
{
	int pair[2], pipes[2], got = -1;
	char text[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(frame_send_with_fd(pair[0], "hello", 5, pipes[1]), 0);
	close(pipes[1]);
	assert_int_equal(frame_receive_with_fd(pair[1], text, sizeof text, &got), 5);
	assert_true(got >= 0);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(got, "x", 1), 1);
	assert_int_equal(read(pipes[0], text, 8), 1);
	close(got);
	assert_int_equal(read(pipes[0], text, 8), 0); /* nobody else has kept it */

	assert_int_equal(frame_write_all(pair[0], "more", 4), 0);
	assert_int_equal(frame_receive_with_fd(pair[1], text, sizeof text, &got), 4);
	assert_int_equal(got, -1);
	close(pair[0]);
	assert_int_equal(frame_receive_with_fd(pair[1], text, sizeof text, &got), 0);
	assert_int_equal(frame_write_all(pair[1], "x", 1), -EPIPE); /* and no signal */
	close(pair[1]);
	close(pipes[0]);
}

static void test_protocol_names(void **state)
{
	(void)state;
	assert_string_equal(protocol_status_name(STATUS_TIMEOUT), "timeout");
	assert_null(protocol_status_name(STATUS_COUNT));
	assert_null(protocol_reason_name(REASON_NONE));
	assert_string_equal(protocol_reason_name(REASON_WALL_TIME), "wall_time");
	assert_null(protocol_reason_name(UINT64_MAX));
	assert_string_equal(protocol_state_name(STATE_RESTORED), "restored");
	assert_null(protocol_state_name(STATE_COUNT));
	assert_string_equal(protocol_field_name(FIELD_MEMORY_BYTES), "memory_bytes");
	assert_null(protocol_field_name(FIELD_LAST + 1));
	assert_int_equal(protocol_field_type(100000), FIELD_IS_UNKNOWN);
	for (unsigned i = 1; i < REASON_COUNT; i++)
		assert_non_null(protocol_reason_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_grows_to_its_limit),
		cmocka_unit_test(test_buffer_consume),
		cmocka_unit_test(test_buffer_shorten),
		cmocka_unit_test(test_fields_round),
		cmocka_unit_test(test_fields_first_of_a_kind_counts),
		cmocka_unit_test(test_fields_limit),
		cmocka_unit_test(test_fields_malformed),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_frame_round),
		cmocka_unit_test(test_frame_in_pieces),
		cmocka_unit_test(test_frame_refusals),
		cmocka_unit_test(test_frame_does_not_fit),
		cmocka_unit_test(test_frame_descriptor),
		cmocka_unit_test(test_protocol_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
