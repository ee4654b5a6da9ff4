#define _GNU_SOURCE
#include "executor/run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/fields.h"
#include "common/job.h"

enum { CPU_CHECK_LEAST_US = 5000 };

struct run {
	struct run_config config;
	struct outcome outcome;
	struct loop_timer wall, cpu, grace;
	struct cgroup_usage before;
	uint64_t started_us, ended_us;
	uint64_t written; /* bytes of output so far */
	enum reason met;  /* the limit that was met, or REASON_INTERRUPTED */
	bool over;        /* the job is; what is left is going back */
	uint8_t *report;
};

static void conclude(struct run *run)
{
	loop_clear_timer(run->config.loop, &run->wall);
	loop_clear_timer(run->config.loop, &run->cpu);
	loop_clear_timer(run->config.loop, &run->grace);
	run->config.owner.finished(run->config.owner.context, &run->outcome);
}

/* The clock stops and the kernel's figures are read while the group exists. */
static void stop_clock(struct run *run)
{
	uint64_t cpu_us = 0, peak = 0;

	run->over = true;
	run->ended_us = loop_now_us();
	run->outcome.wall_us = run->ended_us - run->started_us;
	if (sandbox_read_meters(run->config.sandbox, &cpu_us, &peak))
		return;
	run->outcome.cpu_us = cpu_us - run->before.cpu_us;
	run->outcome.memory_peak_bytes = peak;
}

static uint64_t limit_met(const struct run *run, enum reason reason)
{
	switch (reason) {
	case REASON_WALL_TIME:
		return run->config.limits.wall_ms;
	case REASON_CPU_TIME:
		return run->config.limits.cpu_ms;
	case REASON_MEMORY:
		return run->config.limits.memory_bytes;
	case REASON_OUTPUT:
		return run->config.limits.output_bytes;
	case REASON_PROCESSES:
		return run->config.limits.processes;
	default:
		return 0;
	}
}

static void judge(struct run *run, enum status status, enum reason reason, int64_t return_code)
{
	run->outcome.status = status;
	run->outcome.reason = reason;
	run->outcome.return_code = return_code;
	run->outcome.limit = limit_met(run, reason);
}

static void judge_limit(struct run *run, int64_t return_code)
{
	bool time = run->met == REASON_WALL_TIME || run->met == REASON_CPU_TIME;

	if (run->met == REASON_INTERRUPTED)
		judge(run, STATUS_ERROR, run->met, return_code);
	else
		judge(run, time ? STATUS_TIMEOUT : STATUS_FAILED, run->met, return_code);
}

static bool killed_for_memory(const struct run *run)
{
	struct cgroup_usage usage;

	return !sandbox_read_usage(run->config.sandbox, &usage) &&
	       usage.oom_kills > run->before.oom_kills;
}

static bool refused_forks(const struct run *run)
{
	struct cgroup_usage usage;

	return !sandbox_read_usage(run->config.sandbox, &usage) &&
	       usage.forks_refused > run->before.forks_refused;
}

/* -- what the report says of an exception that is a limit in disguise ------------ */

static bool report_says(const struct run *run, unsigned tag, const char *start)
{
	struct field_view field;

	return fields_find(run->report, run->outcome.report_length, tag, &field) == 1 &&
	       field.length >= strlen(start) && !memcmp(field.value, start, strlen(start));
}

static enum reason reason_of_exception(const struct run *run)
{
	static const char *const disk_errors[] = { "[Errno 28]", "[Errno 27]", "[Errno 122]" };

	if (report_says(run, FIELD_EXCEPTION_TYPE, "MemoryError"))
		return REASON_MEMORY;
	for (size_t i = 0; i < sizeof disk_errors / sizeof *disk_errors; i++)
		if (report_says(run, FIELD_EXCEPTION_TYPE, "OSError") &&
		    report_says(run, FIELD_EXCEPTION_MESSAGE, disk_errors[i]))
			return REASON_DISK;
	if ((report_says(run, FIELD_EXCEPTION_TYPE, "BlockingIOError") ||
	     report_says(run, FIELD_EXCEPTION_MESSAGE, "can't start new thread")) &&
	    refused_forks(run))
		return REASON_PROCESSES;
	return REASON_EXCEPTION;
}

static void judge_report(struct run *run, int32_t exit_code)
{
	uint64_t ended = fields_number(run->report, run->outcome.report_length, FIELD_ENDED_BY,
				       ENDED_NORMALLY);

	if (run->met != REASON_NONE) {
		judge_limit(run, exit_code ? exit_code : 1);
	} else if (ended == ENDED_BY_EXCEPTION) {
		enum reason reason = reason_of_exception(run);

		judge(run, reason == REASON_EXCEPTION ? STATUS_ERROR : STATUS_FAILED, reason,
		      exit_code ? exit_code : 1);
	} else if (exit_code) {
		judge(run, STATUS_ERROR, REASON_EXIT, exit_code);
	} else {
		judge(run, STATUS_SUCCESS, REASON_NONE, 0);
	}
}

/* -- going back, in a session ----------------------------------------------------- */

static void begin_return(struct run *run)
{
	bool fresh = false;

	run->over = true;
	if (sandbox_restore(run->config.sandbox, 0, &fresh)) {
		run->outcome.state = STATE_LOST;
		run->outcome.note = "The session could not be brought back.";
		conclude(run);
		return;
	}
	run->outcome.state = fresh && run->config.has_state ? STATE_LOST : STATE_RESTORED;
	run->outcome.note =
		run->outcome.state == STATE_LOST
			? "The session's variables are lost: there was no checkpoint to "
			  "go back to. It goes on empty."
			: "The session went back to how it was before this cell; "
			  "threads and child processes were not kept.";
}

static bool is_command(const struct run *run)
{
	return run->config.job.kind == JOB_COMMAND;
}

/* The program is gone, or has to go. */
static void end_hard(struct run *run)
{
	if (!run->config.grace_ms || is_command(run))
		conclude(run);
	else
		begin_return(run);
}

/* -- limits --------------------------------------------------------------------- */

static void on_grace(struct loop_timer *timer)
{
	struct run *run = LOOP_OWNER(timer, struct run, grace);

	sandbox_take_output(run->config.sandbox);
	stop_clock(run);
	judge_limit(run, -SIGKILL);
	end_hard(run);
}

static void meet(struct run *run, enum reason reason)
{
	if (run->over || run->met != REASON_NONE)
		return;
	run->met = reason;
	if (is_command(run)) { /* its end is told by died(), like any other */
		if (sandbox_kill_command(run->config.sandbox))
			on_grace(&run->grace);
		return;
	}
	if (!run->config.grace_ms) {
		sandbox_take_output(run->config.sandbox);
		stop_clock(run);
		judge_limit(run, -SIGKILL);
		end_hard(run);
		return;
	}
	(void)sandbox_signal(run->config.sandbox, SIGINT);
	if (loop_set_timer(run->config.loop, &run->grace,
			   loop_now_us() + run->config.grace_ms * 1000, on_grace))
		on_grace(&run->grace);
}

static void on_wall(struct loop_timer *timer)
{
	meet(LOOP_OWNER(timer, struct run, wall), REASON_WALL_TIME);
}

/* CPU cannot be used up sooner than all allowed CPUs would need: look then. */
static void on_cpu(struct loop_timer *timer)
{
	struct run *run = LOOP_OWNER(timer, struct run, cpu);
	uint64_t limit_us = run->config.limits.cpu_ms * 1000;
	uint64_t cpu_us = 0, peak = 0;

	if (sandbox_read_meters(run->config.sandbox, &cpu_us, &peak))
		return;
	uint64_t used = cpu_us - run->before.cpu_us;
	if (used >= limit_us) {
		meet(run, REASON_CPU_TIME);
		return;
	}
	uint64_t wait = (limit_us - used) * 100 / run->config.cpu_percent;
	if (wait < CPU_CHECK_LEAST_US)
		wait = CPU_CHECK_LEAST_US;
	(void)loop_set_timer(run->config.loop, timer, loop_now_us() + wait, on_cpu);
}

/* -- what the sandbox tells -------------------------------------------------------- */

static void on_output(void *context, struct sandbox *sandbox, enum sandbox_stream stream,
		      const uint8_t *bytes, size_t length)
{
	struct run *run = context;
	uint64_t room = run->config.limits.output_bytes - run->written;
	size_t given = length < room ? length : (size_t)room;

	(void)sandbox;
	if (run->over)
		return;
	if (given)
		run->config.owner.output(run->config.owner.context, stream, bytes, given);
	run->written += given;
	if (given < length) {
		run->outcome.truncated[stream] = true;
		meet(run, REASON_OUTPUT);
	}
}

static void on_done(void *context, struct sandbox *sandbox)
{
	struct run *run = context;
	int32_t exit_code = 0;
	size_t length = 0;

	if (run->over)
		return;
	stop_clock(run);
	if (sandbox_read_report(sandbox, &run->report, &length, &exit_code) ||
	    fields_check(run->report, length))
		length = 0; /* nonsense: as if it had said nothing */
	run->outcome.report = run->report;
	run->outcome.report_length = length;
	judge_report(run, exit_code);
	if (run->met != REASON_NONE)
		run->outcome.note = "The cell was interrupted; the session's variables are kept as "
				    "they were at that moment.";
	conclude(run);
}

static void judge_death(struct run *run, int status)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (run->met != REASON_NONE) {
		judge_limit(run, -SIGKILL);
	} else if (signal == SIGKILL && killed_for_memory(run)) {
		judge(run, STATUS_FAILED, REASON_MEMORY, -SIGKILL);
	} else if (signal) {
		judge(run, STATUS_FAILED, REASON_CRASH, -signal);
		run->outcome.signal = signal;
	} else if (WEXITSTATUS(status)) {
		judge(run, STATUS_ERROR, REASON_EXIT, WEXITSTATUS(status));
	} else {
		judge(run, STATUS_SUCCESS, REASON_NONE, 0);
	}
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over) /* going back has begun already */
		return;
	stop_clock(run);
	judge_death(run, status);
	end_hard(run);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	struct run *run = context;

	(void)sandbox;
	if (!run->over) {
		stop_clock(run);
		if (killed_for_memory(run))
			judge(run, STATUS_FAILED, REASON_MEMORY, -SIGKILL);
		else
			judge(run, STATUS_FAILED, REASON_INTERNAL, -SIGKILL);
	}
	run->outcome.state = STATE_LOST;
	run->outcome.note = "The sandbox is gone.";
	conclude(run);
}

/* After a return: the session goes on. */
static void on_idle(void *context, struct sandbox *sandbox)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over)
		conclude(run);
}

/* -- in and out ---------------------------------------------------------------------- */

int run_begin(const struct run_config *config, struct run **ret_run)
{
	struct run *run = calloc(1, sizeof *run);
	const struct limits *limits = &config->limits;
	int error;

	if (!run)
		return -ENOMEM;
	run->config = *config;
	run->config.job.open_files = limits->open_files;
	run->config.job.file_bytes = limits->file_bytes;
	sandbox_set_owner(config->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								    .done = on_done,
								    .output = on_output,
								    .died = on_died,
								    .failed = on_failed,
								    .context = run });
	error = sandbox_limit(config->sandbox, limits);
	run->before = sandbox_seen_usage(config->sandbox);
	if (!error)
		error = sandbox_read_meters(config->sandbox, &run->before.cpu_us,
					    &run->before.memory_peak_bytes);
	if (!error) {
		run->started_us = loop_now_us();
		error = loop_set_timer(config->loop, &run->wall,
				       run->started_us + limits->wall_ms * 1000, on_wall);
	}
	if (!error && limits->cpu_ms * 100 < limits->wall_ms * config->cpu_percent)
		error = loop_set_timer(config->loop, &run->cpu,
				       run->started_us + CPU_CHECK_LEAST_US, on_cpu);
	if (!error && is_command(run))
		error = sandbox_start_command(config->sandbox, &run->config.job);
	else if (!error)
		error = sandbox_start(config->sandbox, &run->config.job);
	if (error) {
		run_free(run);
		return error;
	}
	*ret_run = run;
	return 0;
}

void run_interrupt(struct run *run)
{
	meet(run, REASON_INTERRUPTED);
}

void run_free(struct run *run)
{
	if (!run)
		return;
	loop_clear_timer(run->config.loop, &run->wall);
	loop_clear_timer(run->config.loop, &run->cpu);
	loop_clear_timer(run->config.loop, &run->grace);
	free(run->report);
	free(run);
}
