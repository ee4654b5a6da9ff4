/* The event loop: timers in order, and sources that go while others are handled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/loop/loop.h"

static struct loop *loop;
static char said[256];

static void say(char c)
{
	size_t length = strlen(said);

	assert_true(length + 1 < sizeof said);
	said[length] = c;
	said[length + 1] = '\0';
}

static int set_up(void **state)
{
	(void)state;
	said[0] = '\0';
	return loop_new(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* ---- timers ------------------------------------------------------------- */

struct named_timer {
	struct loop_timer timer;
	char name;
	struct loop_timer *clear; /* when it fires */
	bool last;
};

static void on_timer(struct loop_timer *timer)
{
	struct named_timer *named = LOOP_OWNER(timer, struct named_timer, timer);

	assert_true(loop_now_us() >= timer->due_us);
	assert_int_equal(timer->place, 0);
	say(named->name);
	if (named->clear)
		loop_clear_timer(loop, named->clear);
	if (named->last)
		loop_stop(loop);
}

static void set(struct named_timer *named, uint64_t due_us)
{
	assert_int_equal(loop_set_timer(loop, &named->timer, due_us, on_timer), 0);
}

static void test_timers_fire_in_order(void **state)
{
	struct named_timer timers[6] = { { .name = 'a' }, { .name = 'b' },
					 { .name = 'c' }, { .name = 'd' },
					 { .name = 'e' }, { .name = 'f', .last = true } };
	static const int order[] = { 3, 0, 5, 2, 4, 1 };
	uint64_t now = loop_now_us();

	(void)state;
	for (int i = 0; i < 6; i++)
		set(&timers[order[i]], now + 1000 * (uint64_t)(1 + order[i]));
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "abcdef");
}

static void test_timer_set_again_fires_once(void **state)
{
	struct named_timer a = { .name = 'a' }, b = { .name = 'b', .last = true };
	uint64_t now = loop_now_us();

	(void)state;
	set(&a, now + 500);
	set(&b, now + 3000);
	set(&a, now + 1000);
	set(&a, now + 2000);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "ab");
}

static void test_timer_cleared_by_another_that_is_due(void **state)
{
	struct named_timer b = { .name = 'b' };
	struct named_timer a = { .name = 'a', .clear = &b.timer };
	struct named_timer c = { .name = 'c', .last = true };
	uint64_t now = loop_now_us();

	(void)state;
	set(&a, now - 3);
	set(&b, now - 2);
	set(&c, now - 1);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "ac");
}

static void test_timer_cleared_twice_and_unset(void **state)
{
	struct named_timer a = { .name = 'a' }, never = { .name = 'x' };

	(void)state;
	loop_clear_timer(loop, &never.timer);
	set(&a, loop_now_us() + 1000);
	loop_clear_timer(loop, &a.timer);
	loop_clear_timer(loop, &a.timer);
	a.last = true;
	set(&a, loop_now_us());
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "a");
}

/* Against a plain array as the model, with a fixed seed. */
static void test_heap_with_many_timers(void **state)
{
	enum { COUNT = 500 };
	static struct named_timer timers[COUNT];
	struct named_timer end = { .name = '.', .last = true };
	uint64_t now = loop_now_us() + 1000;
	size_t expected = 0;

	(void)state;
	srandom(42);
	for (int round = 0; round < 20000; round++) {
		struct named_timer *timer = &timers[random() % COUNT];

		timer->name = '\0'; /* say() then adds nothing */
		if (random() % 3)
			set(timer, now + (uint64_t)(random() % 1000));
		else
			loop_clear_timer(loop, &timer->timer);
	}
	for (int i = 0; i < COUNT; i++)
		expected += timers[i].timer.place != 0;
	assert_true(expected > COUNT / 3);
	for (int i = 0; i < COUNT; i++) {
		for (int j = 0; timers[i].timer.place && j < i; j++)
			assert_int_not_equal(timers[i].timer.place, timers[j].timer.place);
		assert_true(timers[i].timer.place <= expected);
	}
	set(&end, now + 1001);
	assert_int_equal(loop_run(loop), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(timers[i].timer.place, 0);
	assert_string_equal(said, ".");
}

/* ---- sources ------------------------------------------------------------ */

struct named_source {
	struct loop_source source;
	int ends[2];
	char name;
	struct named_source *remove; /* when it is ready */
	bool free_removed;
};

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct named_source *named = LOOP_OWNER(source, struct named_source, source);
	char byte;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(source->fd, &byte, 1), 1);
	say(named->name);
	if (named->remove) {
		loop_remove(loop, &named->remove->source);
		close(named->remove->ends[0]);
		close(named->remove->ends[1]);
		if (named->free_removed)
			free(named->remove);
		named->remove = NULL;
	}
}

static struct named_source *new_source(char name)
{
	struct named_source *named = calloc(1, sizeof *named);

	assert_non_null(named);
	named->name = name;
	assert_int_equal(pipe(named->ends), 0);
	assert_int_equal(write(named->ends[1], "x", 1), 1);
	assert_int_equal(loop_add(loop, &named->source, named->ends[0], EPOLLIN, on_ready), 0);
	return named;
}

static void end_source(struct named_source *named)
{
	loop_remove(loop, &named->source);
	close(named->ends[0]);
	close(named->ends[1]);
	free(named);
}

static void run_a_moment(void)
{
	struct named_timer end = { .name = '.', .last = true };

	set(&end, loop_now_us() + 5000);
	assert_int_equal(loop_run(loop), 0);
}

/* All are ready in one batch; each would remove the one after it. */
static void test_removal_inside_a_batch(void **state)
{
	struct named_source *a = new_source('a'), *b = new_source('b');

	(void)state;
	a->remove = b;
	b->remove = a;
	a->free_removed = b->free_removed = true;
	run_a_moment();
	/* whichever came first, the other was never called: and it is freed memory */
	assert_int_equal(strlen(said), 2);
	if (said[0] == 'a')
		end_source(a);
	else
		end_source(b);
}

static void on_own_end(struct loop_source *source, uint32_t events)
{
	struct named_source *named = LOOP_OWNER(source, struct named_source, source);

	(void)events;
	say(named->name);
	end_source(named);
}

static void test_source_frees_itself(void **state)
{
	struct named_source *a = new_source('a');

	(void)state;
	a->source.ready = on_own_end;
	run_a_moment();
	assert_string_equal(said, "a.");
}

static void test_events_can_be_changed(void **state)
{
	struct named_source *a = new_source('a');

	(void)state;
	assert_int_equal(loop_change(loop, &a->source, 0), 0);
	run_a_moment();
	assert_string_equal(said, ".");
	end_source(a);
}

static void test_remove_what_was_never_added(void **state)
{
	struct loop_source source = { .fd = -1 };

	(void)state;
	loop_remove(loop, &source);
	assert_false(source.added);
	assert_true(loop_add(loop, &source, -1, EPOLLIN, on_ready) < 0);
	assert_false(source.added);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timers_fire_in_order),
		LOOP_TEST(test_timer_set_again_fires_once),
		LOOP_TEST(test_timer_cleared_by_another_that_is_due),
		LOOP_TEST(test_timer_cleared_twice_and_unset),
		LOOP_TEST(test_heap_with_many_timers),
		LOOP_TEST(test_removal_inside_a_batch),
		LOOP_TEST(test_source_frees_itself),
		LOOP_TEST(test_events_can_be_changed),
		LOOP_TEST(test_remove_what_was_never_added),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
