/* The evaluation's state machine, every state with every event. Workers and the
 * comparer are stand-ins that note what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include <errno.h>

#include "executor/grading/evaluation.h"
#include "executor/server/server.h"
#include "executor/session/session.h"
#include "tests/unit/environment_standins.h"
#include "tests/unit/machine.h"
#include "tests/unit/session_standins.h"

static struct executor executor;
static struct call call;
static struct evaluation evaluation;
static struct sandbox *const a_sandbox = (struct sandbox *)&call;
static bool unprepared, no_share;
static int no_room;
static unsigned finished;

void worker_init(struct worker *worker, struct submission *submission,
		 const struct worker_owner *owner)
{
	*worker = (struct worker){ .submission = submission, .owner = *owner };
}

void worker_handle(struct worker *worker, enum worker_event event, const void *detail)
{
	(void)detail;
	if (event == WORKER_OPEN) {
		worker->state = WORKER_WAITS;
		do_it("open");
	} else if (event == WORKER_CLOSE && worker->state != WORKER_CLOSED) {
		worker->state = WORKER_CLOSED;
		worker->sandbox = NULL;
		do_it("close");
	} else if (event == WORKER_FILES_PUT) {
		worker->state = WORKER_LOADS;
		do_it("put");
	}
}

void worker_withdraw(struct worker *worker)
{
	(void)worker;
}

void comparer_init(struct comparer *comparer, struct submission *submission,
		   const struct comparer_owner *owner)
{
	*comparer = (struct comparer){ .submission = submission, .owner = *owner };
}

void comparer_handle(struct comparer *comparer, enum comparer_event event, const void *detail)
{
	static const char *const names[COMPARER_EVENTS] = {
		[COMPARER_OPEN] = "prepare", [COMPARER_WORK] = "work", [COMPARER_CLOSE] = "stop"
	};

	(void)comparer;
	(void)detail;
	assert_non_null(names[event]);
	do_it(names[event]);
}

bool comparer_has_prepared(const struct comparer *comparer)
{
	(void)comparer;
	return !unprepared;
}

int sandbox_share_workspace(struct sandbox *sandbox, const struct ucred *peer)
{
	(void)peer;
	assert_ptr_equal(sandbox, a_sandbox);
	return no_share ? -1 : dup(0);
}

int sandbox_admit_files(struct sandbox *sandbox, uint64_t bytes, struct incoming *incoming)
{
	assert_ptr_equal(sandbox, a_sandbox);
	(void)bytes;
	(void)incoming;
	return no_room;
}

void sandbox_settle_files(struct incoming *incoming)
{
	(void)incoming;
}

const struct ucred *call_peer(const struct call *given)
{
	(void)given;
	return NULL;
}

void call_workspace(struct call *given, int fd)
{
	assert_ptr_equal(given, &call);
	assert_true(fd >= 0);
	do_it("offer");
}

uint64_t admission_queued(const struct admission *admission)
{
	(void)admission;
	return 0;
}

/* submission_read() is not called here: what it would draw in is a stand-in, too. */
bool req_profile(struct call *given, const struct profile **ret_profile)
{
	(void)given;
	(void)ret_profile;
	return false;
}

bool req_limits(struct call *given, const struct limits *base, struct limits *ret_limits)
{
	(void)given;
	(void)base;
	(void)ret_limits;
	return false;
}

bool req_code(struct call *given, struct field_view *ret_code)
{
	(void)given;
	(void)ret_code;
	return false;
}

struct field_view req_optional(const struct call *given, unsigned field)
{
	(void)given;
	(void)field;
	return (struct field_view){ 0 };
}

void req_refuse_internal(struct call *given, const char *what, int error)
{
	(void)given;
	(void)what;
	(void)error;
}

void call_refuse(struct call *given, enum refusal refusal, unsigned field, const char *format, ...)
{
	(void)given;
	(void)refusal;
	(void)field;
	(void)format;
}

static void on_finished(struct evaluation *given)
{
	assert_ptr_equal(given, &evaluation);
	finished++;
	loop_stop(executor.loop);
}

/* Two cases that wait, one worker with a sandbox. */
static void put_into(enum evaluation_state state)
{
	evaluation_close(&evaluation);
	submission_reset(&evaluation.submission);
	unprepared = no_share = false;
	no_room = 0;
	finished = 0;
	evaluation = (struct evaluation){
		.submission = { .executor = &executor, .call = &call, .count = 2 }
	};
	call.context = &evaluation;
	executor.options.evaluation_workers = 2;
	executor.options.evaluation_ms = 60000;
	evaluation.submission.cases = calloc(2, sizeof(struct judged));
	assert_non_null(evaluation.submission.cases);
	assert_int_equal(evaluation_begin(&evaluation, on_finished), 0);
	assert_string_equal(did + strlen(did) - strlen(" prepare"), " prepare");
	assert_int_equal(evaluation.state, EVALUATION_PREPARES);
	evaluation.state = state;
	if (state == EVALUATION_WORKS) {
		evaluation.workers[0].state = WORKER_RUNS;
		evaluation.workers[0].sandbox = a_sandbox;
		evaluation.workers[0].judged = &evaluation.submission.cases[0];
		evaluation.submission.cases[0].progress = CASE_RUNS;
	}
	if (state == EVALUATION_ENDS)
		loop_clear_timer(executor.loop, &evaluation.deadline);
	did[0] = '\0';
}

static void expect(enum evaluation_event event, enum evaluation_state next, const char *done)
{
	evaluation_handle(&evaluation, event);
	assert_int_equal(evaluation.state, next);
	assert_string_equal(did, done);
	if (next != EVALUATION_ENDS)
		return;
	assert_int_equal(evaluation.deadline.place, 0);
	assert_int_equal(evaluation.retry.place, 0);
}

/* No text: the pair cannot happen. */
static const struct {
	enum evaluation_state next;
	const char *done;
} pairs[EVALUATION_STATES][EVALUATION_EVENTS] = {
	[EVALUATION_PREPARES] = {
		[EVALUATION_CHANGED] = { EVALUATION_WORKS, " work open open" },
		[EVALUATION_REFUSED] = { EVALUATION_ENDS, " stop" },
		[EVALUATION_DEADLINE] = { EVALUATION_ENDS, " stop" },
	},
	[EVALUATION_WORKS] = {
		[EVALUATION_CHANGED] = { EVALUATION_WORKS, " work open" },
		[EVALUATION_BUSY] = { EVALUATION_WORKS, "" },
		[EVALUATION_REFUSED] = { EVALUATION_ENDS, " stop close" },
		[EVALUATION_LOAD_FAILED] = { EVALUATION_ENDS, " stop close" },
		[EVALUATION_DEADLINE] = { EVALUATION_ENDS, " stop close" },
	},
	[EVALUATION_PAUSES] = {
		[EVALUATION_CHANGED] = { EVALUATION_PAUSES, " work" },
		[EVALUATION_BUSY] = { EVALUATION_PAUSES, "" },
		[EVALUATION_REFUSED] = { EVALUATION_ENDS, " stop" },
		[EVALUATION_LOAD_FAILED] = { EVALUATION_ENDS, " stop" },
		[EVALUATION_RETRY] = { EVALUATION_WORKS, " work open open" },
		[EVALUATION_DEADLINE] = { EVALUATION_ENDS, " stop" },
	},
	[EVALUATION_ENDS] = {
		[EVALUATION_CHANGED] = { EVALUATION_ENDS, "" },
		[EVALUATION_BUSY] = { EVALUATION_ENDS, "" },
		[EVALUATION_REFUSED] = { EVALUATION_ENDS, "" },
		[EVALUATION_LOAD_FAILED] = { EVALUATION_ENDS, "" },
	},
};

static void expect_impossible(enum evaluation_state state, enum evaluation_event event)
{
	bool ended = state == EVALUATION_ENDS;

	expect(event, EVALUATION_ENDS,
	       ended                       ? ""
	       : state == EVALUATION_WORKS ? " stop close"
					   : " stop");
	assert_int_equal(evaluation.refusal, ended ? REFUSAL_COUNT : REFUSAL_INTERNAL);
}

static void test_every_pair(void **state)
{
	(void)state;
	for (int from = 0; from < EVALUATION_STATES; from++)
		for (int event = 0; event < EVALUATION_EVENTS; event++) {
			put_into((enum evaluation_state)from);
			if (pairs[from][event].done)
				expect((enum evaluation_event)event, pairs[from][event].next,
				       pairs[from][event].done);
			else
				expect_impossible((enum evaluation_state)from,
						  (enum evaluation_event)event);
		}
}

static void test_ends(void **state)
{
	(void)state;
	for (int from = EVALUATION_WORKS; from <= EVALUATION_PAUSES; from++) {
		put_into((enum evaluation_state)from);
		evaluation.submission.cases[0].progress = CASE_DONE;
		evaluation.submission.cases[1].progress = CASE_DONE;
		expect(EVALUATION_CHANGED, EVALUATION_ENDS,
		       from == EVALUATION_WORKS ? " stop close" : " stop");
		assert_int_equal(finished, 0); /* from the loop, not from inside a part */
	}
	assert_int_equal(loop_run(executor.loop), 0);
	assert_int_equal(finished, 1);
	put_into(EVALUATION_WORKS); /* the rest has not passed */
	expect(EVALUATION_DEADLINE, EVALUATION_ENDS, " stop close");
	assert_int_equal(evaluation.submission.cases[1].outcome.status, STATUS_TIMEOUT);
}

static void test_places(void **state)
{
	(void)state;
	put_into(EVALUATION_PREPARES);
	unprepared = true;
	expect(EVALUATION_CHANGED, EVALUATION_PREPARES, "");
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].sandbox = NULL; /* nobody works, and nothing has begun */
	expect(EVALUATION_BUSY, EVALUATION_ENDS, " stop close");
	assert_int_equal(evaluation.refusal, REFUSAL_BUSY);
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].sandbox = NULL;
	evaluation.submission.has_loaded = true;
	expect(EVALUATION_BUSY, EVALUATION_PAUSES, "");
	assert_int_not_equal(evaluation.retry.place, 0);
}

static void test_files(void **state)
{
	(void)state;
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].state = WORKER_WANTS_FILES;
	expect(EVALUATION_CHANGED, EVALUATION_WORKS, " offer work open");
	assert_ptr_equal(evaluation.offered, &evaluation.workers[0]);
	call.proceed(&call);
	assert_string_equal(did, " offer work open put work");
	assert_null(evaluation.offered);
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].state = WORKER_WANTS_FILES;
	expect(EVALUATION_CHANGED, EVALUATION_WORKS, " offer work open");
	evaluation.workers[0].offered = false; /* another sandbox by now: offered once more */
	call.proceed(&call);
	assert_string_equal(did, " offer work open offer work");
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].state = WORKER_WANTS_FILES;
	no_share = true;
	expect(EVALUATION_CHANGED, EVALUATION_ENDS, " stop close");
	assert_int_equal(evaluation.refusal, REFUSAL_INTERNAL);
	put_into(EVALUATION_WORKS);
	evaluation.workers[0].state = WORKER_WANTS_FILES;
	no_room = -EDQUOT;
	expect(EVALUATION_CHANGED, EVALUATION_ENDS, " stop close");
	assert_int_equal(evaluation.refusal, REFUSAL_FILES_FULL);
}

static int open_loop(void **state)
{
	(void)state;
	return loop_new(&executor.loop);
}

static int close_loop(void **state)
{
	(void)state;
	evaluation_close(&evaluation);
	submission_reset(&evaluation.submission);
	loop_free(executor.loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, open_loop, close_loop);
}
