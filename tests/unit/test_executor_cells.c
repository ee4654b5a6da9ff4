/* What is kept of cells: their last events, bounded for each cell, session and all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "executor/session/cell.h"

static int add(struct event_log *log, enum frame_type type, const char *text)
{
	return event_log_add(log, type, text, strlen(text));
}

static void check_read(struct event_log *log, struct event_cursor *cursor, enum frame_type type,
		       const char *text)
{
	struct event event;

	assert_true(event_log_read(log, cursor, &event));
	assert_int_equal(event.type, type);
	assert_int_equal(event.length, strlen(text));
	if (event.length)
		assert_memory_equal(event.bytes, text, event.length);
}

static void test_events_in_order(void **state)
{
	struct event_log log;
	struct event event;

	(void)state;
	event_log_init(&log, 1000);
	struct event_cursor cursor = event_log_seek(&log, 0);
	assert_false(event_log_read(&log, &cursor, &event));
	add(&log, FRAME_STDOUT, "a");
	add(&log, FRAME_STDERR, "b");
	add(&log, FRAME_DISPLAY, "c");
	check_read(&log, &cursor, FRAME_STDOUT, "a");
	check_read(&log, &cursor, FRAME_STDERR, "b");
	assert_int_equal(cursor.number, 3);
	struct event_cursor later = event_log_seek(&log, 3);
	check_read(&log, &later, FRAME_DISPLAY, "c");
	later = event_log_seek(&log, 99); /* there is nothing yet: from the next one on */
	assert_int_equal(later.number, 4);
	event_log_free(&log);
}

/* Text joins text that nobody has read; an event that was read never changes. */
static void test_text_joins(void **state)
{
	struct event_log log;

	(void)state;
	event_log_init(&log, 1000);
	add(&log, FRAME_STDOUT, "a");
	add(&log, FRAME_STDOUT, "b");
	struct event_cursor cursor = event_log_seek(&log, 1);
	check_read(&log, &cursor, FRAME_STDOUT, "ab");
	add(&log, FRAME_STDOUT, "c");
	add(&log, FRAME_DISPLAY, "d");
	add(&log, FRAME_DISPLAY, "e"); /* these never do */
	check_read(&log, &cursor, FRAME_STDOUT, "c");
	check_read(&log, &cursor, FRAME_DISPLAY, "d");
	check_read(&log, &cursor, FRAME_DISPLAY, "e");
	event_log_free(&log);
}

/* Also one that a cursor has only been put behind: else the cursor would be within it, and
 * what the program wrote there be taken for the next event's length. */
static void test_text_does_not_join_what_was_passed(void **state)
{
	struct event_log log;
	struct event event;

	(void)state;
	event_log_init(&log, 1000);
	add(&log, FRAME_STDOUT, "a");
	struct event_cursor cursor = event_log_seek(&log, 2);
	add(&log, FRAME_STDOUT, "\xff\xff\xff\x7f\x01\x02\x03\x04 as a header");
	add(&log, FRAME_STDERR, "b");
	check_read(&log, &cursor, FRAME_STDOUT, "\xff\xff\xff\x7f\x01\x02\x03\x04 as a header");
	check_read(&log, &cursor, FRAME_STDERR, "b");
	assert_false(event_log_read(&log, &cursor, &event));
	event_log_free(&log);
}

static void test_the_oldest_are_forgotten_and_named(void **state)
{
	struct event_log log;
	struct event event;
	char text[100];

	(void)state;
	event_log_init(&log, 1000);
	memset(text, 'x', sizeof text);
	struct event_cursor slow = event_log_seek(&log, 1);
	for (int i = 0; i < 5000; i++) {
		text[0] = (char)i;
		assert_int_equal(event_log_add(&log, FRAME_DISPLAY, text, sizeof text), 0);
	}
	assert_true(event_log_size(&log) < 200000); /* also in memory */
	assert_true(event_log_read(&log, &slow, &event));
	assert_int_equal(event.type, FRAME_GAP);
	assert_int_equal(event.lost_bytes, (slow.number - 1) * sizeof text);
	int kept = 0;
	for (; event_log_read(&log, &slow, &event); kept++)
		assert_int_equal(event.bytes[0], (uint8_t)(slow.number - 2));
	assert_int_equal(kept, 9);
	assert_int_equal(slow.number, 5001);
	event_log_settle(&log);
	assert_int_equal(event_log_size(&log), 9 * (sizeof text + 8));
	struct event_cursor last = event_log_seek(&log, 5000);
	assert_true(event_log_read(&log, &last, &event));
	assert_int_equal(event.bytes[0], (uint8_t)4999);
	event_log_free(&log);
}

static void test_what_is_too_large(void **state)
{
	struct event_log log;
	struct event event;
	static char text[2000];

	(void)state;
	event_log_init(&log, 1000);
	add(&log, FRAME_STDOUT, "a");
	struct event_cursor cursor = event_log_seek(&log, 1);
	assert_int_equal(event_log_add(&log, FRAME_DISPLAY, text, sizeof text), -EMSGSIZE);
	add(&log, FRAME_STDOUT, "b");
	assert_true(event_log_read(&log, &cursor, &event));
	assert_int_equal(event.type, FRAME_GAP);
	assert_int_equal(event.lost_bytes, 2001);
	assert_int_equal(cursor.number, 3);
	check_read(&log, &cursor, FRAME_STDOUT, "b");
	event_log_free(&log);
}

/* -- cells --------------------------------------------------------------------------- */

static struct histories histories;

static void run_cell(struct cells *cells, uint64_t execution, const char *code, size_t length,
		     size_t output_bytes)
{
	const struct cell_config config = { .session_id = "one",
					    .execution = execution,
					    .code = (const uint8_t *)code,
					    .code_length = length,
					    .most_bytes = 1 << 20 };
	uint8_t *output = calloc(1, output_bytes + 1);
	AUTO_BUFFER outcome = BUFFER_INIT(0), report = BUFFER_INIT(0);
	struct cell *cell;

	assert_int_equal(cells_begin(cells, &config, &cell), 0);
	memset(output, 'x', output_bytes);
	cell_write(cell, 0, output, output_bytes);
	free(output);
	cells_changed(cells);
	fields_put_text(&report, FIELD_RESULT, "42");
	fields_put_number(&outcome, FIELD_STATUS, STATUS_SUCCESS);
	fields_put_bytes(&outcome, FIELD_REPORT, report.data, report.length);
	cell_finish(cell, &outcome);
	cells_changed(cells);
}

static void set_histories(size_t cells, size_t each, size_t all)
{
	histories = (struct histories){ .most_cells = cells,
					.most_bytes_each = each,
					.most_bytes = all };
}

static void test_history_forgets_the_oldest(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct fields_reader reader;
	struct field_view field, part;
	struct cells cells;

	(void)state;
	set_histories(3, 1 << 20, 1 << 20);
	cells_init(&cells, &histories);
	for (uint64_t i = 1; i <= 5; i++)
		run_cell(&cells, i, "x", 1, 10);
	assert_null(cells_find(&cells, 2));
	assert_non_null(cells_find(&cells, 3));
	assert_int_equal(cells_put_history(&cells, &list), 0);
	assert_int_equal(fields_check(list.data, list.length), 0);
	fields_open(&reader, list.data, list.length);
	for (uint64_t i = 3; i <= 5; i++) {
		assert_int_equal(fields_next(&reader, &field), 1);
		assert_int_equal(field.tag, FIELD_HISTORY);
		assert_int_equal(fields_check(field.value, field.length), 0);
		assert_int_equal(fields_number(field.value, field.length, FIELD_EXECUTION, 0), i);
		assert_int_equal(fields_find(field.value, field.length, FIELD_RESULT, &part), 1);
		assert_memory_equal(part.value, "42", 2);
	}
	assert_int_equal(fields_next(&reader, &field), 0);
	cells_free(&cells, "");
	assert_int_equal(histories.bytes, 0);
}

static void test_history_of_none(void **state)
{
	struct cells cells;

	(void)state;
	set_histories(0, 1 << 20, 1 << 20);
	cells_init(&cells, &histories);
	run_cell(&cells, 1, "x", 1, 10);
	assert_null(cells_find(&cells, 1));
	cells_free(&cells, "");
}

/* Long code is cut, but not inside a character. */
static void test_history_cuts(void **state)
{
	static char code[3 * 8000];
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct field_view cell, part;
	struct cells cells;

	(void)state;
	for (size_t i = 0; i < sizeof code; i += 3)
		memcpy(code + i, "\xe2\x82\xac", 3);
	set_histories(3, 1 << 20, 1 << 20);
	cells_init(&cells, &histories);
	run_cell(&cells, 1, code, sizeof code, 0);
	assert_int_equal(cells_put_history(&cells, &list), 0);
	assert_int_equal(fields_find(list.data, list.length, FIELD_HISTORY, &cell), 1);
	assert_int_equal(fields_find(cell.value, cell.length, FIELD_CODE, &part), 1);
	assert_true(part.length > 4000 && part.length < 10000);
	assert_int_equal(part.length % 3, 0);
	cells_free(&cells, "");
}

static void test_bytes_of_one_session(void **state)
{
	struct cells cells;

	(void)state;
	set_histories(100, 300000, 1 << 30);
	cells_init(&cells, &histories);
	for (uint64_t i = 1; i <= 20; i++) {
		run_cell(&cells, i, "x", 1, 50000);
		assert_true(cells.bytes <= 300000);
	}
	assert_non_null(cells_find(&cells, 20));
	assert_null(cells_find(&cells, 10));
	cells_free(&cells, "");
	assert_int_equal(histories.bytes, 0);
}

/* The one that keeps the most pays first. */
static void test_bytes_of_all_sessions(void **state)
{
	struct cells large, small;

	(void)state;
	set_histories(100, 1 << 30, 300000);
	cells_init(&large, &histories);
	cells_init(&small, &histories);
	run_cell(&small, 1, "x", 1, 50000);
	for (uint64_t i = 1; i <= 20; i++) {
		run_cell(&large, i, "x", 1, 50000);
		assert_true(histories.bytes <= 300000);
	}
	assert_non_null(cells_find(&small, 1));
	cells_free(&small, "");
	cells_free(&large, "");
	assert_null(histories.first);
}

/* A look at all of them: the last of what each wrote. */
static void test_in_short(void **state)
{
	AUTO_BUFFER list = BUFFER_INIT(0);
	struct field_view cell, text;
	struct cells cells;

	(void)state;
	set_histories(3, 1 << 20, 1 << 20);
	cells_init(&cells, &histories);
	run_cell(&cells, 1, "x", 1, 100000);
	assert_int_equal(cells_put_short(&cells, &list), 0);
	assert_int_equal(fields_find(list.data, list.length, FIELD_CELL, &cell), 1);
	assert_int_equal(fields_find(cell.value, cell.length, FIELD_STDOUT, &text), 1);
	assert_int_equal(text.length, 8192);
	assert_int_equal(fields_number(cell.value, cell.length, FIELD_LOST_BYTES, 0),
			 100000 - 8192);
	cells_free(&cells, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_in_order),
		cmocka_unit_test(test_text_joins),
		cmocka_unit_test(test_text_does_not_join_what_was_passed),
		cmocka_unit_test(test_the_oldest_are_forgotten_and_named),
		cmocka_unit_test(test_what_is_too_large),
		cmocka_unit_test(test_history_forgets_the_oldest),
		cmocka_unit_test(test_history_of_none),
		cmocka_unit_test(test_history_cuts),
		cmocka_unit_test(test_bytes_of_one_session),
		cmocka_unit_test(test_bytes_of_all_sessions),
		cmocka_unit_test(test_in_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
