/* The weights of runs. What a sandbox has used, and what it is given, is a stand-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "executor/run/run_parts.h"

static struct loop *loop;
static uint64_t used_us, step_us, given[16];
static size_t gifts, looks, looks_wanted;

int sandbox_read_meters(const struct sandbox *sandbox, uint64_t *ret_cpu_us, uint64_t *ret_peak)
{
	(void)sandbox, (void)ret_peak;
	*ret_cpu_us = used_us += step_us;
	if (++looks == looks_wanted)
		loop_stop(loop);
	return 0;
}

int sandbox_weigh(struct sandbox *sandbox, uint64_t weight)
{
	(void)sandbox;
	assert_true(gifts < sizeof given / sizeof *given);
	given[gifts++] = weight;
	return 0;
}

static void test_rule(void **state)
{
	(void)state;
	assert_int_equal(fair_weight(0, 1), CGROUP_WEIGHT_FULL);
	assert_int_equal(fair_weight(0, 0), CGROUP_WEIGHT_FULL);
	assert_int_equal(fair_weight(FAIR_STEP_US, 1), CGROUP_WEIGHT_FULL / 2);
	assert_int_equal(fair_weight(0, 10), CGROUP_WEIGHT_FULL / 10);
	assert_int_equal(fair_weight(UINT32_MAX, 1000), 1);
	/* thirty loops of one client together weigh less than one program that begins */
	assert_true(30 * fair_weight(1000000, 30) < CGROUP_WEIGHT_FULL / 20);
}

static void look(uint64_t step, size_t times)
{
	assert_int_equal(loop_new(&loop), 0);
	used_us = gifts = looks = 0;
	step_us = step;
	looks_wanted = times;
}

static void test_falls_and_comes_back(void **state)
{
	struct fair fair;
	uint64_t rivals = 2;

	(void)state;
	look(FAIR_STEP_US, 3);
	fair_begin(&fair, loop, NULL, 0, &rivals);
	assert_int_equal(gifts, 0); /* a short run costs nothing */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(gifts, 3);
	assert_int_equal(given[0], fair_weight(1 * FAIR_STEP_US, 2));
	assert_int_equal(given[1], fair_weight(2 * FAIR_STEP_US, 2));
	assert_int_equal(given[2], fair_weight(3 * FAIR_STEP_US, 2));
	fair_end(&fair, true);
	assert_int_equal(given[3], CGROUP_WEIGHT_FULL);
	fair_end(&fair, true); /* once */
	assert_int_equal(gifts, 4);
	loop_free(loop);
}

static void test_waiting_costs_nothing(void **state)
{
	struct fair fair;

	(void)state;
	look(0, 2);
	fair_begin(&fair, loop, NULL, 0, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(gifts, 0);
	fair_end(&fair, false);
	assert_int_equal(gifts, 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_falls_and_comes_back),
		cmocka_unit_test(test_waiting_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
