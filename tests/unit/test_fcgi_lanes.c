/* Who may be served now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-app/http/lanes.h"

static struct lanes_ticket tickets[16];

static struct lanes make_lanes(void)
{
	return (struct lanes){ .limits = { .places = 3,
					   .places_per_client = 2,
					   .waiting = 4,
					   .waiting_per_client = 3 } };
}

static void enter(struct lanes *lanes, unsigned ticket, const char *client,
		  enum lanes_answer answer)
{
	assert_int_equal(lanes_enter(lanes, &tickets[ticket], client, ticket), answer);
}

static void leave(struct lanes *lanes, unsigned ticket, int next)
{
	assert_ptr_equal(lanes_leave(lanes, &tickets[ticket]), next < 0 ? NULL : &tickets[next]);
}

static void test_shares(void **state)
{
	struct lanes lanes = make_lanes();

	(void)state;
	enter(&lanes, 0, "a", LANES_GO);
	enter(&lanes, 1, "a", LANES_GO);
	enter(&lanes, 2, "a", LANES_WAIT); /* its share is used up, the lane is not */
	enter(&lanes, 3, "b", LANES_GO);
	enter(&lanes, 4, "c", LANES_WAIT);
	leave(&lanes, 3, 4); /* a's first in the queue, but a has its share */
	leave(&lanes, 0, 2);
	leave(&lanes, 1, -1);
	leave(&lanes, 2, -1);
	leave(&lanes, 4, -1);
	assert_null(lanes.first);
	assert_int_equal(lanes.busy, 0);
}

static void test_turns(void **state)
{
	struct lanes lanes = make_lanes();

	(void)state;
	enter(&lanes, 0, "x", LANES_GO);
	enter(&lanes, 1, "y", LANES_GO);
	enter(&lanes, 2, "z", LANES_GO);
	enter(&lanes, 3, "a", LANES_WAIT);
	enter(&lanes, 4, "a", LANES_WAIT);
	enter(&lanes, 5, "a", LANES_WAIT);
	enter(&lanes, 6, "b", LANES_WAIT);
	leave(&lanes, 0, 3);
	leave(&lanes, 1, 6); /* b's one before a's second */
	leave(&lanes, 2, 4);
	leave(&lanes, 3, 5);
	leave(&lanes, 4, -1);
	leave(&lanes, 5, -1);
	leave(&lanes, 6, -1);
	assert_null(lanes.first);
	assert_null(lanes.last);
}

static void test_full(void **state)
{
	struct lanes lanes = make_lanes();

	(void)state;
	enter(&lanes, 0, "a", LANES_GO);
	enter(&lanes, 1, "a", LANES_GO);
	for (unsigned i = 2; i < 5; i++)
		enter(&lanes, i, "a", LANES_WAIT);
	enter(&lanes, 5, "a", LANES_FULL);
	enter(&lanes, 6, "b", LANES_GO);
	enter(&lanes, 7, "c", LANES_WAIT);
	enter(&lanes, 8, "d", LANES_FULL);
	assert_int_equal(lanes.waiting, 4);
	leave(&lanes, 6, 7);
	leave(&lanes, 7, -1);
	leave(&lanes, 0, 2);
	leave(&lanes, 1, 3);
	leave(&lanes, 2, 4);
	leave(&lanes, 3, -1);
	leave(&lanes, 4, -1);
	assert_null(lanes.first);
}

static void test_expiry(void **state)
{
	struct lanes lanes = make_lanes();

	(void)state;
	enter(&lanes, 1, "a", LANES_GO);
	enter(&lanes, 2, "a", LANES_GO);
	enter(&lanes, 3, "a", LANES_WAIT);
	enter(&lanes, 4, "a", LANES_WAIT);
	assert_null(lanes_expire(&lanes, 3));
	assert_ptr_equal(lanes_expire(&lanes, 4), &tickets[3]);
	assert_null(lanes_expire(&lanes, 4));
	leave(&lanes, 1, 4);
	leave(&lanes, 2, -1);
	leave(&lanes, 4, -1);
	assert_null(lanes.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_expiry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
