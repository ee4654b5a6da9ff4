/* The worker's state machine, every state with every event. What lies below it (jobs,
 * sandbox, admission) is a stand-in that notes what it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "executor/grading/worker.h"
#include "executor/session/session.h"
#include "tests/unit/environment_standins.h"
#include "tests/unit/sandbox_standins.h"
#include "tests/unit/session_standins.h"

static struct executor executor;
static struct submission submission;
static struct call call; /* without fields */
static struct judged the_case;
static struct worker worker;
static const struct outcome an_outcome;

/* How the stand-ins answer; each test begins with false. */
static struct {
	bool no_limit, not_alone, no_fork, not_forked, marked, no_join;
	bool load_fails, case_fails, yields;
} set;
static enum worker_news news;
static bool loaded_elsewhere;

/* -- stand-ins ------------------------------------------------------------------------ */

void admission_withdraw(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	(void)waiter;
}

void admission_leave(struct admission *admission, struct waiter *waiter)
{
	assert_ptr_equal(waiter, &worker.waiter);
	(void)admission;
	do_it("leave");
}

int sandbox_limit(struct sandbox *sandbox, const struct limits *limits)
{
	(void)sandbox;
	assert_ptr_equal(limits, &submission.limits);
	return set.no_limit ? -1 : 0;
}

void sandbox_keep_workspace(struct sandbox *sandbox)
{
	(void)sandbox;
	do_it("keep");
}

bool sandbox_is_alone(struct sandbox *sandbox)
{
	(void)sandbox;
	return !set.not_alone;
}

int sandbox_fork(struct sandbox *sandbox)
{
	(void)sandbox;
	do_it("fork");
	return set.no_fork ? -1 : 0;
}

bool sandbox_is_forked(const struct sandbox *sandbox)
{
	(void)sandbox;
	return !set.not_forked;
}

bool sandbox_fork_is_marked(const struct sandbox *sandbox)
{
	(void)sandbox;
	return set.marked;
}

int sandbox_join(struct sandbox *sandbox)
{
	(void)sandbox;
	do_it("join");
	return set.no_join ? -1 : 0;
}

void sandbox_reset_peak(struct sandbox *sandbox)
{
	(void)sandbox;
}

int worker_jobs_load(struct worker *given)
{
	return begin_job("load", &given->run);
}

int worker_jobs_run(struct worker *given)
{
	return begin_job("run", &given->run);
}

int worker_jobs_expect(struct worker *given)
{
	return begin_job("expect", &given->run);
}

struct outcome worker_jobs_failure(void)
{
	return (struct outcome){ .status = STATUS_FAILED, .state = STATE_LOST };
}

bool worker_jobs_loaded(const struct worker *given, const struct outcome *outcome,
			struct outcome *ret_outcome)
{
	(void)given;
	*ret_outcome = *outcome;
	return !set.load_fails;
}

void worker_jobs_keep_failed_load(struct worker *given, const struct outcome *outcome)
{
	(void)outcome;
	given->judged->outcome.state = STATE_LOST;
}

int worker_jobs_report_load(struct worker *given, const struct outcome *outcome)
{
	return submission_load_failed(given->submission, outcome);
}

bool worker_jobs_ran(struct worker *given, const struct outcome *outcome)
{
	given->judged->outcome = *outcome;
	return !set.case_fails;
}

void worker_jobs_expected(struct worker *given, const struct outcome *outcome)
{
	given->judged->outcome.state = outcome->state;
}

static void on_news(void *context, enum worker_news told)
{
	assert_ptr_equal(context, &worker);
	assert_int_equal(news, WORKER_NO_NEWS); /* once an event */
	news = told;
}

static bool should_yield(void *context, const struct worker *given)
{
	(void)context;
	(void)given;
	return set.yields;
}

/* -- a worker in a state --------------------------------------------------------------- */

static const bool has_sandbox[WORKER_STATES] = {
	[WORKER_WANTS_FILES] = true, [WORKER_LOADS] = true,   [WORKER_FORKS] = true,
	[WORKER_RUNS] = true,        [WORKER_EXPECTS] = true, [WORKER_JOINS] = true,
};
static const bool has_run[WORKER_STATES] = {
	[WORKER_LOADS] = true,
	[WORKER_RUNS] = true,
	[WORKER_EXPECTS] = true,
};
static const bool has_case[WORKER_STATES] = {
	[WORKER_LOADS] = true,
	[WORKER_FORKS] = true,
	[WORKER_RUNS] = true,
	[WORKER_EXPECTS] = true,
};

static void put_into(enum worker_state state)
{
	submission_reset(&submission);
	set = (typeof(set)){ 0 };
	below = (typeof(below)){ 0 };
	machine = &worker;
	submission = (struct submission){ .executor = &executor,
					  .call = &call,
					  .has_loaded = loaded_elsewhere,
					  .load = BUFFER_INIT(1 << 16),
					  .display_bytes = 256,
					  .cases = calloc(1, sizeof the_case),
					  .count = 1 };
	assert_non_null(submission.cases);
	submission.cases[0] = (struct judged){ .calls = true,
					       .progress = has_case[state] ? CASE_RUNS : CASE_WAITS,
					       .printed = BUFFER_INIT(100) };
	worker_init(&worker, &submission,
		    &(struct worker_owner){
			    .news = on_news, .should_yield = should_yield, .context = &worker });
	worker.state = state;
	worker.granted = has_sandbox[state];
	worker.sandbox = has_sandbox[state] ? a_sandbox : NULL;
	worker.run = has_run[state] ? a_run : NULL;
	worker.judged = has_case[state] ? submission.cases : NULL;
	worker.loaded = state > WORKER_LOADS;
	did[0] = '\0';
	news = WORKER_NO_NEWS;
}

static const void *detail_of(enum worker_event event)
{
	return event == WORKER_GRANTED ? (const void *)a_sandbox
	       : event == WORKER_ENDED ? (const void *)&an_outcome
				       : NULL;
}

static void expect(enum worker_event event, enum worker_state next, enum worker_news told,
		   const char *done)
{
	worker_handle(&worker, event, detail_of(event));
	assert_int_equal(worker.state, next);
	assert_int_equal(news, told);
	assert_string_equal(did, done);
	if (next == WORKER_CLOSED) {
		assert_null(worker.sandbox);
		assert_null(worker.run);
		assert_null(worker.judged);
		assert_false(worker.granted);
	}
}

/* -- every pair --------------------------------------------------------------------------- */

/* Where nothing goes wrong. No text: the pair cannot happen. */
static const struct {
	enum worker_state next;
	enum worker_news news;
	const char *done;
} pairs[WORKER_STATES][WORKER_EVENTS] = {
	[WORKER_CLOSED] = { [WORKER_OPEN] = { WORKER_WAITS, WORKER_NO_NEWS, " enter" },
			    [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, "" } },
	[WORKER_WAITS] = { [WORKER_GRANTED] = { WORKER_LOADS, WORKER_NO_NEWS, " load" },
			   [WORKER_EXPIRED] = { WORKER_CLOSED, WORKER_BUSY, "" },
			   [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, "" } },
	[WORKER_WANTS_FILES] = { [WORKER_FILES_PUT] = { WORKER_LOADS, WORKER_NO_NEWS,
							" keep load" },
				 [WORKER_LOST] = { WORKER_CLOSED, WORKER_CHANGED, " kill leave" },
				 [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS,
						    " kill leave" } },
	[WORKER_LOADS] = { [WORKER_ENDED] = { WORKER_FORKS, WORKER_NO_NEWS, " free fork" },
			   [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, " free kill leave" } },
	[WORKER_FORKS] = { [WORKER_IDLE] = { WORKER_RUNS, WORKER_NO_NEWS, " run" },
			   [WORKER_LOST] = { WORKER_CLOSED, WORKER_CHANGED, " kill leave" },
			   [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, " kill leave" } },
	[WORKER_RUNS] = { [WORKER_ENDED] = { WORKER_JOINS, WORKER_CHANGED, " free join" },
			  [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, " free kill leave" } },
	[WORKER_EXPECTS] = { [WORKER_ENDED] = { WORKER_JOINS, WORKER_CHANGED, " free join" },
			     [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS,
						" free kill leave" } },
	[WORKER_JOINS] = { [WORKER_IDLE] = { WORKER_FORKS, WORKER_NO_NEWS, " fork" },
			   [WORKER_LOST] = { WORKER_CLOSED, WORKER_CHANGED, " kill leave" },
			   [WORKER_CLOSE] = { WORKER_CLOSED, WORKER_NO_NEWS, " kill leave" } },
};

static void expect_impossible(enum worker_state state, enum worker_event event)
{
	const char *done = has_run[state]       ? " free kill leave"
			   : has_sandbox[state] ? " kill leave"
						: "";

	expect(event, WORKER_CLOSED, WORKER_CHANGED, done);
	if (has_case[state]) {
		assert_int_equal(submission.cases[0].progress, CASE_RAN);
		assert_int_equal(submission.cases[0].outcome.status, STATUS_FAILED);
	}
}

static void test_every_pair(void **state)
{
	(void)state;
	for (int from = 0; from < WORKER_STATES; from++)
		for (int event = 0; event < WORKER_EVENTS; event++) {
			put_into((enum worker_state)from);
			if (pairs[from][event].done)
				expect((enum worker_event)event, pairs[from][event].next,
				       pairs[from][event].news, pairs[from][event].done);
			else
				expect_impossible((enum worker_state)from,
						  (enum worker_event)event);
		}
}

/* -- where something goes wrong --------------------------------------------------------------- */

static void test_waiting(void **state)
{
	(void)state;
	put_into(WORKER_CLOSED);
	below.no_place = true;
	expect(WORKER_OPEN, WORKER_CLOSED, WORKER_BUSY, " enter");
	put_into(WORKER_CLOSED);
	below.at_once = true;
	expect(WORKER_OPEN, WORKER_LOADS, WORKER_NO_NEWS, " enter load");
	put_into(WORKER_WAITS);
	set.no_limit = true;
	expect(WORKER_GRANTED, WORKER_CLOSED, WORKER_BROKEN, " kill leave");
	put_into(WORKER_WAITS);
	submission.wants_files = true;
	expect(WORKER_GRANTED, WORKER_WANTS_FILES, WORKER_CHANGED, "");
	put_into(WORKER_WAITS);
	submission.cases[0].progress = CASE_DONE;
	expect(WORKER_GRANTED, WORKER_CLOSED, WORKER_CHANGED, " kill leave");
	put_into(WORKER_WAITS);
	submission.cases[0].calls = false; /* a program: nothing is loaded for it */
	expect(WORKER_GRANTED, WORKER_FORKS, WORKER_NO_NEWS, " fork");
}

static void test_loading(void **state)
{
	(void)state;
	put_into(WORKER_WAITS);
	below.no_job = true;
	expect(WORKER_GRANTED, WORKER_CLOSED, WORKER_LOAD_FAILED, " load kill leave");
	put_into(WORKER_LOADS);
	set.load_fails = true;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_LOAD_FAILED, " free kill leave");
	assert_true(submission.load.length > 0);
	loaded_elsewhere = true;
	put_into(WORKER_LOADS);
	set.load_fails = true;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_CHANGED, " free kill leave");
	assert_int_equal(submission.cases[0].progress, CASE_RAN);
	assert_int_equal(submission.load.length, 0);
	loaded_elsewhere = false;
	put_into(WORKER_LOADS);
	worker.judged = NULL; /* without cases it is the code alone that is looked at */
	submission.cases[0].progress = CASE_DONE;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_CHANGED, " free kill leave");
	assert_true(submission.has_loaded);
}

static void test_forking(void **state)
{
	(void)state;
	put_into(WORKER_JOINS);
	set.no_fork = true;
	expect(WORKER_IDLE, WORKER_RUNS, WORKER_NO_NEWS, " fork run");
	put_into(WORKER_LOADS);
	set.not_alone = true; /* threads, files: no fork would be the same */
	expect(WORKER_ENDED, WORKER_RUNS, WORKER_NO_NEWS, " free run");
	assert_true(worker.fresh);
	put_into(WORKER_FORKS);
	set.not_forked = true;
	expect(WORKER_IDLE, WORKER_RUNS, WORKER_NO_NEWS, " run");
	assert_true(worker.fresh);
	put_into(WORKER_FORKS);
	set.marked = true; /* its process id tells what an earlier one did */
	expect(WORKER_IDLE, WORKER_CLOSED, WORKER_CHANGED, " kill leave");
	assert_int_equal(submission.cases[0].progress, CASE_WAITS);
	put_into(WORKER_FORKS);
	below.no_job = true;
	expect(WORKER_IDLE, WORKER_CLOSED, WORKER_CHANGED, " run kill leave");
	assert_int_equal(submission.cases[0].outcome.status, STATUS_FAILED);
}

static void test_after_a_case(void **state)
{
	(void)state;
	put_into(WORKER_RUNS);
	worker.fresh = true;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_CHANGED, " free kill leave");
	put_into(WORKER_RUNS);
	set.no_join = true;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_CHANGED, " free join kill leave");
	put_into(WORKER_RUNS);
	submission.cases[0].needs_names = true;
	expect(WORKER_ENDED, WORKER_EXPECTS, WORKER_NO_NEWS, " free expect");
	put_into(WORKER_RUNS);
	submission.cases[0].needs_names = below.no_job = true;
	expect(WORKER_ENDED, WORKER_CLOSED, WORKER_CHANGED, " free expect kill leave");
	put_into(WORKER_RUNS);
	submission.cases[0].needs_names = set.case_fails = true;
	expect(WORKER_ENDED, WORKER_JOINS, WORKER_CHANGED, " free join");
	put_into(WORKER_JOINS);
	set.not_alone = true; /* files, or a trace of them */
	expect(WORKER_IDLE, WORKER_CLOSED, WORKER_CHANGED, " kill leave");
	put_into(WORKER_JOINS);
	set.yields = true;
	expect(WORKER_IDLE, WORKER_CLOSED, WORKER_CHANGED, " kill leave");
	put_into(WORKER_JOINS);
	submission.cases[0].progress = CASE_RAN;
	expect(WORKER_IDLE, WORKER_CLOSED, WORKER_CHANGED, " kill leave");
	submission_reset(&submission);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),   cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_loading),      cmocka_unit_test(test_forking),
		cmocka_unit_test(test_after_a_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
