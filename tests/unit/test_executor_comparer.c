/* The comparer's state machine, every state with every event. What lies below it
 * (runs, sandbox, admission) is a stand-in that notes what it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/mailbox.h"
#include "executor/grading/comparer.h"
#include "executor/session/session.h"
#include "tests/unit/environment_standins.h"
#include "tests/unit/sandbox_standins.h"
#include "tests/unit/session_standins.h"

static struct executor executor;
static struct submission submission;
static struct comparer comparer;
static struct buffer report = BUFFER_INIT(1 << 16);
static bool not_idle;
static enum comparer_news news;

void admission_withdraw(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	(void)waiter;
	do_it("withdraw");
}

bool sandbox_is_idle(const struct sandbox *sandbox)
{
	(void)sandbox;
	return !not_idle;
}

int run_begin(const struct run_config *config, struct run **ret_run)
{
	return begin_job(config->job.kind == JOB_PREPARE ? "prepare" : "compare", ret_run);
}

static void on_news(void *context, enum comparer_news told)
{
	assert_ptr_equal(context, &comparer);
	assert_int_equal(news, COMPARER_NO_NEWS);
	news = told;
}

/* One case: waiting to be prepared, or run and waiting to be compared. */
static void put_into(enum comparer_state state)
{
	bool prepares =
		state == COMPARER_CLOSED || state == COMPARER_WAITS || state == COMPARER_PREPARES;

	submission_reset(&submission);
	not_idle = false;
	below = (typeof(below)){ 0 };
	machine = &comparer;
	submission = (struct submission){ .executor = &executor,
					  .display_bytes = 256,
					  .cases = calloc(1, sizeof(struct judged)),
					  .count = 1 };
	assert_non_null(submission.cases);
	submission.cases[0] = (struct judged){ .calls = true,
					       .progress = prepares ? CASE_WAITS : CASE_RAN,
					       .verdict = BUFFER_INIT(1000) };
	comparer_init(&comparer, &submission,
		      &(struct comparer_owner){ .news = on_news, .context = &comparer });
	comparer.state = state;
	comparer.prepared = !prepares;
	if (state >= COMPARER_RESTS)
		comparer.sandbox = a_sandbox;
	if (state > COMPARER_RESTS) {
		comparer.run = a_run;
		comparer.batch[0] = submission.cases;
		comparer.batch_length = 1;
	}
	did[0] = '\0';
	news = COMPARER_NO_NEWS;
}

static void make_report(bool with_result)
{
	AUTO_BUFFER one = BUFFER_INIT(100);

	buffer_reset(&report);
	assert_int_equal(fields_put_number(&one, FIELD_PASSED, 1), 0);
	if (with_result)
		assert_int_equal(fields_put_bytes(&report, FIELD_CASE_RESULT, one.data, one.length),
				 0);
}

static void expect(enum comparer_event event, bool good, enum comparer_state next,
		   enum comparer_news told, const char *done)
{
	struct outcome outcome = { .status = good ? STATUS_SUCCESS : STATUS_FAILED };
	const void *detail = event == COMPARER_GRANTED ? (const void *)a_sandbox
			     : event == COMPARER_ENDED ? (const void *)&outcome
						       : NULL;

	outcome.report = report.data;
	outcome.report_length = report.length;
	comparer_handle(&comparer, event, detail);
	assert_int_equal(comparer.state, next);
	assert_int_equal(news, told);
	assert_string_equal(did, done);
	if (next == COMPARER_CLOSED || next == COMPARER_WAITS) {
		assert_null(comparer.sandbox);
		assert_null(comparer.run);
	}
}

/* Where nothing goes wrong. No text: the pair cannot happen. */
static const struct {
	enum comparer_state next;
	enum comparer_news news;
	const char *done;
} pairs[COMPARER_STATES][COMPARER_EVENTS] = {
	[COMPARER_CLOSED] = { [COMPARER_OPEN] = { COMPARER_WAITS, COMPARER_NO_NEWS, " enter" },
			      [COMPARER_CLOSE] = { COMPARER_CLOSED, COMPARER_NO_NEWS,
						   " withdraw" } },
	[COMPARER_WAITS] = { [COMPARER_GRANTED] = { COMPARER_PREPARES, COMPARER_NO_NEWS,
						    " prepare" },
			     [COMPARER_EXPIRED] = { COMPARER_CLOSED, COMPARER_REFUSED, "" },
			     [COMPARER_WORK] = { COMPARER_WAITS, COMPARER_NO_NEWS, "" },
			     [COMPARER_CLOSE] = { COMPARER_CLOSED, COMPARER_NO_NEWS,
						  " withdraw" } },
	[COMPARER_RESTS] = { [COMPARER_WORK] = { COMPARER_COMPARES, COMPARER_NO_NEWS, " compare" },
			     [COMPARER_LOST] = { COMPARER_WAITS, COMPARER_NO_NEWS, " kill enter" },
			     [COMPARER_CLOSE] = { COMPARER_CLOSED, COMPARER_NO_NEWS,
						  " withdraw kill" } },
	[COMPARER_PREPARES] = { [COMPARER_ENDED] = { COMPARER_RESTS, COMPARER_CHANGED, " free" },
				[COMPARER_CLOSE] = { COMPARER_CLOSED, COMPARER_NO_NEWS,
						     " withdraw free kill" } },
	[COMPARER_COMPARES] = { [COMPARER_WORK] = { COMPARER_COMPARES, COMPARER_NO_NEWS, "" },
				[COMPARER_ENDED] = { COMPARER_RESTS, COMPARER_CHANGED, " free" },
				[COMPARER_CLOSE] = { COMPARER_CLOSED, COMPARER_NO_NEWS,
						     " withdraw free kill" } },
};

static void expect_impossible(enum comparer_state state, enum comparer_event event)
{
	const char *done = state > COMPARER_RESTS    ? " withdraw free kill"
			   : state == COMPARER_RESTS ? " withdraw kill"
						     : " withdraw";

	expect(event, true, COMPARER_CLOSED, COMPARER_REFUSED, done);
}

static void test_every_pair(void **state)
{
	(void)state;
	make_report(true);
	for (int from = 0; from < COMPARER_STATES; from++)
		for (int event = 0; event < COMPARER_EVENTS; event++) {
			put_into((enum comparer_state)from);
			if (pairs[from][event].done)
				expect((enum comparer_event)event, true, pairs[from][event].next,
				       pairs[from][event].news, pairs[from][event].done);
			else
				expect_impossible((enum comparer_state)from,
						  (enum comparer_event)event);
		}
}

static void test_verdicts(void **state)
{
	(void)state;
	make_report(true);
	put_into(COMPARER_PREPARES);
	expect(COMPARER_ENDED, true, COMPARER_RESTS, COMPARER_CHANGED, " free");
	assert_true(comparer_has_prepared(&comparer));
	put_into(COMPARER_COMPARES);
	expect(COMPARER_ENDED, true, COMPARER_RESTS, COMPARER_CHANGED, " free");
	assert_int_equal(submission.cases[0].progress, CASE_DONE);
	assert_int_equal(submission_passed(&submission), 1);
	put_into(COMPARER_COMPARES); /* a case that did not end well has not passed */
	submission.cases[0].outcome.status = STATUS_TIMEOUT;
	expect(COMPARER_ENDED, true, COMPARER_RESTS, COMPARER_CHANGED, " free");
	assert_int_equal(submission_passed(&submission), 0);
	make_report(
		false); /* no result for the case: it fails, in a sandbox that is not trusted again */
	put_into(COMPARER_COMPARES);
	expect(COMPARER_ENDED, true, COMPARER_WAITS, COMPARER_CHANGED, " free kill enter");
	assert_int_equal(submission.cases[0].progress, CASE_DONE);
	assert_int_equal(submission_passed(&submission), 0);
}

static void test_failures(void **state)
{
	(void)state;
	make_report(true);
	put_into(COMPARER_CLOSED);
	below.no_place = true;
	expect(COMPARER_OPEN, true, COMPARER_CLOSED, COMPARER_REFUSED, " enter");
	put_into(COMPARER_CLOSED);
	below.at_once = true;
	comparer_handle(&comparer, COMPARER_OPEN, NULL);
	assert_int_equal(comparer.state, COMPARER_PREPARES);
	put_into(COMPARER_PREPARES);
	expect(COMPARER_ENDED, false, COMPARER_WAITS, COMPARER_CHANGED, " free kill enter");
	assert_true(comparer_has_prepared(&comparer)); /* one case alone: it is given up */
	put_into(COMPARER_PREPARES);
	not_idle = true; /* it has ended its process, whatever it reported */
	expect(COMPARER_ENDED, true, COMPARER_WAITS, COMPARER_CHANGED, " free kill enter");
	put_into(COMPARER_RESTS);
	below.no_job = true;
	expect(COMPARER_WORK, true, COMPARER_WAITS, COMPARER_CHANGED, " compare kill enter");
	assert_int_equal(submission.cases[0].progress, CASE_DONE);
	put_into(COMPARER_RESTS);
	below.no_place = true;
	expect(COMPARER_LOST, true, COMPARER_CLOSED, COMPARER_REFUSED, " kill enter");
	put_into(COMPARER_RESTS);
	submission.cases[0].progress = CASE_RUNS; /* nothing is due */
	expect(COMPARER_WORK, true, COMPARER_RESTS, COMPARER_NO_NEWS, "");
	submission_reset(&submission);
	buffer_reset(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
