/* Who runs, who waits, who is turned away. Also slots, which are as small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "executor/run/admission.h"
#include "executor/sandbox/slots.h"

static struct loop *loop;
static struct admission *admission;
static char said[64];
static struct waiter ignored; /* of no client */

struct caller {
	struct waiter waiter;
	char name;
	bool leaves; /* at once, when it is let in */
	bool last;   /* stops the loop when it expires */
};

static void say(char c)
{
	said[strlen(said) + 1] = '\0';
	said[strlen(said)] = c;
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct caller *caller = LOOP_OWNER(waiter, struct caller, waiter);

	assert_null(sandbox);
	say(caller->name);
	if (caller->leaves)
		admission_leave(admission, waiter);
}

static void on_expired(struct waiter *waiter)
{
	struct caller *caller = LOOP_OWNER(waiter, struct caller, waiter);

	assert_false(waiter->waiting);
	say('-');
	say(caller->name);
	if (caller->last)
		loop_stop(loop);
}

static struct caller caller(char name)
{
	return (struct caller){
		.name = name,
		.waiter = { .runs = true, .granted = on_granted, .expired = on_expired }
	};
}

static void open_admission(uint64_t running, uint64_t queue, uint64_t queue_ms)
{
	memset(said, 0, sizeof said);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(admission_new(&(struct admission_config){ .loop = loop,
								   .running = running,
								   .running_per_client = running,
								   .queue = queue,
								   .queue_per_client = queue,
								   .queue_ms = queue_ms },
				       &admission),
			 0);
}

static void close_admission(void)
{
	admission_free(admission);
	loop_free(loop);
}

static void test_order_of_arrival(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c'), d = caller('d');

	(void)state;
	open_admission(2, 10, 60000);
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), 0);
	assert_int_equal(admission_enter(admission, &c.waiter), 0);
	assert_int_equal(admission_enter(admission, &d.waiter), 0);
	assert_string_equal(said, "ab");
	assert_int_equal(admission_running(admission), 2);
	assert_int_equal(admission_queued(admission), 2);
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abc");
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abcd");
	assert_int_equal(admission_queued(admission), 0);
	admission_leave(admission, &ignored);
	admission_leave(admission, &ignored);
	assert_int_equal(admission_running(admission), 0);
	close_admission();
}

static void test_full_queue(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 1, 60000);
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), 0);
	assert_int_equal(admission_enter(admission, &c.waiter), -EAGAIN);
	assert_false(c.waiter.waiting);
	admission_withdraw(admission, &c.waiter); /* also if it does not wait */
	admission_withdraw(admission, &b.waiter);
	assert_int_equal(admission_enter(admission, &c.waiter), 0);
	admission_leave(admission, &ignored);
	assert_string_equal(said, "ac"); /* b is forgotten */
	close_admission();
}

/* One that needs no running place stands behind one that does, until that one goes. */
static void test_head_of_the_queue_leaves(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 10, 60000);
	c.waiter.runs = false;
	admission_enter(admission, &a.waiter);
	admission_enter(admission, &b.waiter);
	admission_enter(admission, &c.waiter);
	assert_string_equal(said, "a");
	admission_withdraw(admission, &b.waiter);
	assert_string_equal(said, "ac");
	close_admission();
}

static void test_head_of_the_queue_expires(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 10, 20);
	c.waiter.runs = false;
	b.last = true;
	admission_enter(admission, &a.waiter);
	admission_enter(admission, &b.waiter);
	admission_enter(admission, &c.waiter);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "a-bc");
	close_admission();
}

/* Who waits for its client gives its place up, and takes it again in any case. */
static void test_place_for_a_while(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 10, 60000);
	admission_enter(admission, &a.waiter);
	admission_enter(admission, &b.waiter);
	admission_pause(admission, &a.waiter);
	admission_pause(admission, &a.waiter); /* asked again, by a signal's handler */
	assert_string_equal(said, "ab");
	admission_return(admission, &a.waiter);
	assert_int_equal(admission_running(admission), 2);
	admission_enter(admission, &c.waiter);
	admission_pause(admission, &a.waiter);
	assert_string_equal(said, "ab");
	admission_leave(admission, &a.waiter); /* at its end while it was paused */
	assert_int_equal(admission_running(admission), 1);
	admission_leave(admission, &b.waiter);
	assert_string_equal(said, "abc");
	close_admission();
}

/* The longer the queue for each place, the later; never later than the queue lasts. */
static void test_when_to_try_again(void **state)
{
	struct caller callers[10];

	(void)state;
	open_admission(2, 10, 3500);
	assert_int_equal(admission_retry_ms(admission), 1000);
	for (int i = 0; i < 10; i++) {
		callers[i] = caller((char)('a' + i));
		admission_enter(admission, &callers[i].waiter);
		if (i == 4) /* three wait for two places */
			assert_int_equal(admission_retry_ms(admission), 2000);
	}
	assert_int_equal(admission_retry_ms(admission), 3500);
	close_admission();
}

/* Its zygotes are still importing: others run meanwhile, and in their own order. */
static void test_who_waits_for_another_pool_is_passed(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c'), d = caller('d');
	struct pool *cold;

	(void)state;
	open_admission(2, 10, 60000);
	assert_int_equal(pool_new(&(struct pool_config){ .loop = loop }, &cold), 0);
	a.waiter.pool = c.waiter.pool = cold;
	b.leaves = true;
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), 0);
	assert_int_equal(admission_enter(admission, &c.waiter), 0);
	assert_int_equal(admission_enter(admission, &d.waiter), 0);
	assert_string_equal(said, "bd");
	assert_int_equal(admission_queued(admission), 2);
	admission_expel(admission, cold);
	assert_string_equal(said, "bd-a-c");
	assert_int_equal(admission_queued(admission), 0);
	admission_leave(admission, &ignored);
	pool_free(cold);
	close_admission();
}

static void test_no_queue_at_all(void **state)
{
	struct caller a = caller('a'), b = caller('b');

	(void)state;
	open_admission(1, 0, 60000);
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), -EAGAIN);
	close_admission();
}

static void test_waiting_expires(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 10, 5);
	c.last = true;
	admission_enter(admission, &a.waiter);
	admission_enter(admission, &b.waiter);
	admission_enter(admission, &c.waiter);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "a-b-c");
	assert_int_equal(admission_queued(admission), 0);
	assert_int_equal(admission_running(admission), 1);
	close_admission();
}

static void test_withdrawn_from_the_middle(void **state)
{
	struct caller callers[5] = { caller('a'), caller('b'), caller('c'), caller('d'),
				     caller('e') };

	(void)state;
	open_admission(1, 10, 60000);
	for (int i = 0; i < 5; i++)
		admission_enter(admission, &callers[i].waiter);
	admission_withdraw(admission, &callers[2].waiter);
	admission_withdraw(admission, &callers[4].waiter); /* the last: the tail moves */
	callers[2].leaves = true;
	assert_int_equal(admission_enter(admission, &callers[2].waiter), 0);
	admission_leave(admission, &ignored);
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abd");
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abdc");
	assert_int_equal(admission_running(admission), 0);
	close_admission();
}

/* Whoever leaves from within granted() lets the next in without recursion. */
static void test_leaving_at_once(void **state)
{
	struct caller callers[8];

	(void)state;
	open_admission(1, 10, 60000);
	for (int i = 0; i < 8; i++) {
		callers[i] = caller((char)('a' + i));
		callers[i].leaves = i > 0;
		admission_enter(admission, &callers[i].waiter);
	}
	assert_string_equal(said, "a");
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abcdefgh");
	assert_int_equal(admission_running(admission), 0);
	close_admission();
}

/* Nobody overtakes: who could be let in waits behind who cannot. */
static void test_no_overtaking(void **state)
{
	struct caller a = caller('a'), b = caller('b'), c = caller('c');

	(void)state;
	open_admission(1, 10, 60000);
	c.waiter.runs = false;
	admission_enter(admission, &a.waiter);
	admission_enter(admission, &b.waiter);
	admission_enter(admission, &c.waiter);
	assert_string_equal(said, "a");
	admission_leave(admission, &ignored);
	assert_string_equal(said, "abc");
	assert_int_equal(admission_running(admission), 1);
	close_admission();
}

/* ---- slots -------------------------------------------------------------- */

static void test_slots(void **state)
{
	struct slots *slots = NULL;

	(void)state;
	assert_int_equal(slots_new(3, &slots), 0);
	assert_int_equal(slots_count(slots), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(slots_lowest_free(slots), i);
		assert_int_equal(slots_take(slots), i);
	}
	assert_int_equal(slots_take(slots), -EAGAIN);
	assert_int_equal(slots_lowest_free(slots), 3);
	assert_int_equal(slots_taken(slots), 3);
	slots_give_back(slots, 1);
	assert_int_equal(slots_taken(slots), 2);
	assert_int_equal(slots_take(slots), 1);
	slots_give_back(slots, 2);
	slots_give_back(slots, 0);
	assert_int_equal(slots_take(slots), 0); /* the lowest */
	slots_free(slots);
}

/* -- clients -------------------------------------------------------------------- */

static struct caller caller_of(char name, const char *client)
{
	struct caller made = caller(name);

	made.waiter.client = client;
	made.waiter.client_length = strlen(client);
	return made;
}

static void open_shared(uint64_t running, uint64_t share, uint64_t queue, uint64_t queue_share)
{
	memset(said, 0, sizeof said);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(admission_new(&(struct admission_config){ .loop = loop,
								   .running = running,
								   .running_per_client = share,
								   .queue = queue,
								   .queue_per_client = queue_share,
								   .queue_ms = 60000 },
				       &admission),
			 0);
}

static void test_a_client_has_its_share(void **state)
{
	struct caller a = caller_of('a', "10.0.0.1"), b = caller_of('b', "10.0.0.1"),
		      c = caller_of('c', "10.0.0.1"), x = caller_of('x', "10.0.0.2");

	(void)state;
	open_shared(4, 2, 10, 10);
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), 0);
	assert_int_equal(*admission_rivals(&b.waiter), 2);
	assert_int_equal(admission_enter(admission, &c.waiter), 0); /* waits for one of its own */
	assert_string_equal(said, "ab");
	assert_int_equal(admission_enter(admission, &x.waiter), 0); /* a stranger passes */
	assert_string_equal(said, "abx");
	assert_int_equal(*admission_rivals(&x.waiter), 1);
	admission_leave(admission, &x.waiter);
	assert_string_equal(said, "abx");
	admission_pause(admission, &a.waiter); /* what it has left running goes on: a rival */
	assert_string_equal(said, "abxc");
	assert_int_equal(*admission_rivals(&b.waiter), 3);
	admission_leave(admission, &a.waiter);
	assert_int_equal(*admission_rivals(&b.waiter), 2);
	admission_leave(admission, &b.waiter);
	admission_leave(admission, &c.waiter);
	assert_int_equal(admission_running(admission), 0);
	close_admission();
}

static void test_a_client_does_not_fill_the_queue(void **state)
{
	struct caller a = caller_of('a', "10.0.0.1"), b = caller_of('b', "10.0.0.1"),
		      c = caller_of('c', "10.0.0.1"), x = caller_of('x', "10.0.0.2");

	(void)state;
	open_shared(1, 1, 2, 1);
	assert_int_equal(admission_enter(admission, &a.waiter), 0);
	assert_int_equal(admission_enter(admission, &b.waiter), 0);
	assert_int_equal(admission_enter(admission, &c.waiter), -EAGAIN);
	assert_int_equal(admission_enter(admission, &x.waiter), 0);
	assert_int_equal(admission_queued(admission), 2);
	admission_withdraw(admission, &b.waiter);
	assert_int_equal(admission_enter(admission, &c.waiter), 0);
	admission_leave(admission, &a.waiter);
	assert_string_equal(said, "ax");
	admission_leave(admission, &x.waiter);
	assert_string_equal(said, "axc");
	admission_leave(admission, &c.waiter);
	close_admission();
}

static void test_entries_of_clients_are_used_again(void **state)
{
	static struct clients clients;
	char name[2 * CLIENT_NAME_BYTES];
	struct client *first, *second;

	(void)state;
	assert_null(clients_find(&clients, "", 0));
	first = clients_find(&clients, "a", 1);
	first->rivals = 1;
	second = clients_find(&clients, "b", 1);
	assert_ptr_not_equal(first, second);
	assert_ptr_equal(clients_find(&clients, "a", 1), first);
	assert_ptr_equal(clients_find(&clients, "c", 1), second); /* nobody is counted there */
	assert_ptr_not_equal(clients_find(&clients, "ab", 2), first);
	memset(name, 'x', sizeof name);
	second = clients_find(&clients, name, sizeof name);
	second->waiting = 1;
	assert_ptr_equal(clients_find(&clients, name, CLIENT_NAME_BYTES - 1), second);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients.table[i].rivals = 1;
	clients.used = CLIENTS_MAX;
	assert_null(clients_find(&clients, "new", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_arrival),
		cmocka_unit_test(test_a_client_has_its_share),
		cmocka_unit_test(test_a_client_does_not_fill_the_queue),
		cmocka_unit_test(test_entries_of_clients_are_used_again),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_head_of_the_queue_leaves),
		cmocka_unit_test(test_head_of_the_queue_expires),
		cmocka_unit_test(test_place_for_a_while),
		cmocka_unit_test(test_when_to_try_again),
		cmocka_unit_test(test_who_waits_for_another_pool_is_passed),
		cmocka_unit_test(test_no_queue_at_all),
		cmocka_unit_test(test_waiting_expires),
		cmocka_unit_test(test_withdrawn_from_the_middle),
		cmocka_unit_test(test_leaving_at_once),
		cmocka_unit_test(test_no_overtaking),
		cmocka_unit_test(test_slots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
