/* How a run ended, from the facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>

#include "common/fields.h"
#include "executor/run/ending.h"

static void check(const struct outcome *outcome, enum status status, enum reason reason,
		  int64_t return_code)
{
	assert_int_equal(outcome->status, status);
	assert_int_equal(outcome->reason, reason);
	assert_int_equal(outcome->return_code, return_code);
}

static void test_limits(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	ending_by_limit(&outcome, REASON_WALL_TIME, -9);
	check(&outcome, STATUS_TIMEOUT, REASON_WALL_TIME, -9);
	ending_by_limit(&outcome, REASON_CPU_TIME, 1);
	check(&outcome, STATUS_TIMEOUT, REASON_CPU_TIME, 1);
	ending_by_limit(&outcome, REASON_OUTPUT, 1);
	check(&outcome, STATUS_FAILED, REASON_OUTPUT, 1);
	ending_by_limit(&outcome, REASON_INTERRUPTED, 1);
	check(&outcome, STATUS_ERROR, REASON_INTERRUPTED, 1);
}

/* As wait(2) has it: the signal below, the exit status above. */
static void test_deaths(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	ending_by_death(&outcome, SIGKILL, REASON_MEMORY);
	check(&outcome, STATUS_FAILED, REASON_MEMORY, -9);
	assert_int_equal(outcome.signal, 0);
	ending_by_death(&outcome, SIGKILL, REASON_PROCESSES);
	check(&outcome, STATUS_FAILED, REASON_PROCESSES, -9);
	ending_by_death(&outcome, SIGSEGV, REASON_MEMORY); /* the kernel kills otherwise */
	check(&outcome, STATUS_FAILED, REASON_CRASH, -SIGSEGV);
	assert_int_equal(outcome.signal, SIGSEGV);
	ending_by_death(&outcome, 3 << 8, REASON_NONE);
	check(&outcome, STATUS_ERROR, REASON_EXIT, 3);
	ending_by_death(&outcome, 0, REASON_NONE);
	check(&outcome, STATUS_SUCCESS, REASON_NONE, 0);
}

static void check_exception(const char *type, const char *message, enum reason reason)
{
	AUTO_BUFFER report = BUFFER_INIT(0);
	struct outcome outcome = { 0 };

	fields_put_number(&report, FIELD_ENDED_BY, ENDED_BY_EXCEPTION);
	fields_put_text(&report, FIELD_EXCEPTION_TYPE, type);
	fields_put_text(&report, FIELD_EXCEPTION_MESSAGE, message);
	outcome.report = report.data;
	outcome.report_length = report.length;
	ending_by_report(&outcome, 1);
	check(&outcome, reason == REASON_EXCEPTION ? STATUS_ERROR : STATUS_FAILED, reason, 1);
	ending_by_exception(&outcome, 0); /* the kernel knows of no limit */
	check(&outcome, STATUS_ERROR, REASON_EXCEPTION, 1);
}

static void test_exceptions(void **state)
{
	(void)state;
	check_exception("ValueError", "x", REASON_EXCEPTION);
	check_exception("MemoryError", "", REASON_MEMORY);
	check_exception("OSError", "[Errno 28] No space left on device", REASON_DISK);
	check_exception("ValueError", "[Errno 28] so it says", REASON_EXCEPTION);
	check_exception("RuntimeError", "can't start new thread", REASON_PROCESSES);
	check_exception("BlockingIOError", "[Errno 11]", REASON_PROCESSES);
}

static void test_reports_that_say_nothing(void **state)
{
	struct outcome outcome = { .report = (const uint8_t *)"" };

	(void)state;
	ending_by_report(&outcome, 0);
	check(&outcome, STATUS_SUCCESS, REASON_NONE, 0);
	ending_by_report(&outcome, 4);
	check(&outcome, STATUS_ERROR, REASON_EXIT, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_reports_that_say_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
