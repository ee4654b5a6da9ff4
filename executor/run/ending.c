#include "executor/run/ending.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/fields.h"

static void set(struct outcome *outcome, enum status status, enum reason reason,
		int64_t return_code)
{
	outcome->status = status;
	outcome->reason = reason;
	outcome->return_code = return_code;
}

void ending_by_limit(struct outcome *outcome, enum reason met, int64_t return_code)
{
	bool time = met == REASON_WALL_TIME || met == REASON_CPU_TIME;

	if (met == REASON_INTERRUPTED)
		set(outcome, STATUS_ERROR, met, return_code);
	else
		set(outcome, time ? STATUS_TIMEOUT : STATUS_FAILED, met, return_code);
}

/* -- an exception that is a limit in disguise -------------------------------------- */

static bool report_says(const struct outcome *outcome, unsigned tag, const char *start)
{
	struct field_view field;

	return fields_find(outcome->report, outcome->report_length, tag, &field) == 1 &&
	       field.length >= strlen(start) && !memcmp(field.value, start, strlen(start));
}

static enum reason reason_of_exception(const struct outcome *outcome)
{
	static const char *const disk_errors[] = { "[Errno 28]", "[Errno 27]", "[Errno 122]" };

	if (report_says(outcome, FIELD_EXCEPTION_TYPE, "MemoryError"))
		return REASON_MEMORY;
	for (size_t i = 0; i < sizeof disk_errors / sizeof *disk_errors; i++)
		if (report_says(outcome, FIELD_EXCEPTION_TYPE, "OSError") &&
		    report_says(outcome, FIELD_EXCEPTION_MESSAGE, disk_errors[i]))
			return REASON_DISK;
	if (report_says(outcome, FIELD_EXCEPTION_TYPE, "BlockingIOError") ||
	    report_says(outcome, FIELD_EXCEPTION_MESSAGE, "can't start new thread"))
		return REASON_PROCESSES;
	return REASON_EXCEPTION;
}

void ending_by_exception(struct outcome *outcome, int32_t exit_code)
{
	set(outcome, STATUS_ERROR, REASON_EXCEPTION, exit_code ? exit_code : 1);
}

void ending_by_report(struct outcome *outcome, int32_t exit_code)
{
	uint64_t ended = fields_number(outcome->report, outcome->report_length, FIELD_ENDED_BY,
				       ENDED_NORMALLY);

	if (ended == ENDED_BY_EXCEPTION) {
		enum reason reason = reason_of_exception(outcome);

		set(outcome, reason == REASON_EXCEPTION ? STATUS_ERROR : STATUS_FAILED, reason,
		    exit_code ? exit_code : 1);
	} else if (exit_code) {
		set(outcome, STATUS_ERROR, REASON_EXIT, exit_code);
	} else {
		set(outcome, STATUS_SUCCESS, REASON_NONE, 0);
	}
}

/* -- death ------------------------------------------------------------------------- */

void ending_by_death(struct outcome *outcome, int status, enum reason killed_by)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (signal == SIGKILL && killed_by != REASON_NONE) {
		set(outcome, STATUS_FAILED, killed_by, -SIGKILL);
	} else if (signal) {
		set(outcome, STATUS_FAILED, REASON_CRASH, -signal);
		outcome->signal = signal;
	} else if (WEXITSTATUS(status)) {
		set(outcome, STATUS_ERROR, REASON_EXIT, WEXITSTATUS(status));
	} else {
		set(outcome, STATUS_SUCCESS, REASON_NONE, 0);
	}
}

/* -- the outcome as fields --------------------------------------------------------- */

int outcome_put(const struct outcome *outcome, struct buffer *list)
{
	const struct {
		unsigned field;
		uint64_t value;
		bool present;
	} numbers[] = {
		{ FIELD_STATUS, outcome->status, true },
		{ FIELD_REASON, outcome->reason, true },
		{ FIELD_RETURN_CODE, (uint64_t)outcome->return_code, true },
		{ FIELD_SIGNAL, (uint64_t)outcome->signal, outcome->signal != 0 },
		{ FIELD_LIMIT, outcome->limit, outcome->limit != 0 },
		{ FIELD_WALL_US, outcome->wall_us, true },
		{ FIELD_CPU_US, outcome->cpu_us, true },
		{ FIELD_MEMORY_PEAK_BYTES, outcome->memory_peak_bytes, true },
		{ FIELD_STDOUT_TRUNCATED, outcome->truncated[0], true },
		{ FIELD_STDERR_TRUNCATED, outcome->truncated[1], true },
		{ FIELD_DISPLAYS_DROPPED, outcome->displays_dropped,
		  outcome->displays_dropped != 0 },
		{ FIELD_STATE, outcome->state, true },
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].present)
			error = fields_put_number(list, numbers[i].field, numbers[i].value);
	if (!error)
		error = fields_put_text(list, FIELD_NOTE, outcome->note);
	if (!error && outcome->report_length)
		error = fields_put_bytes(list, FIELD_REPORT, outcome->report,
					 outcome->report_length);
	return error;
}
