#define _GNU_SOURCE
#include "executor/run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/job.h"
#include "executor/run/ending.h"
#include "executor/run/fair.h"

enum {
	CPU_CHECK_LEAST_US = 5000,
	/* Of output once a limit is met: it comes whether it is read or not. */
	LAST_WORDS_BYTES = 1 << 20,
};

struct run {
	struct run_config config;
	struct outcome outcome;
	struct loop_timer wall, cpu, grace, input;
	struct fair fair;
	struct cgroup_usage before;
	uint64_t started_us;
	uint64_t waited_us;             /* for input, so far */
	uint64_t asked_us;              /* since when it waits for input; 0: it does not */
	uint64_t written, most_written; /* bytes of output: so far, in all */
	uint64_t displays, display_bytes;
	enum reason met; /* the limit that was met, or REASON_INTERRUPTED */
	uint64_t met_limit;
	bool held;
	bool refused; /* the process limit kept it from its first process */
	bool over;
	struct buffer ahead; /* input that nobody has asked for yet */
	bool end_of_input;
	uint8_t *report;
};

static bool is_command(const struct run *run)
{
	return run->config.job.kind == JOB_COMMAND;
}

/* -- its end --------------------------------------------------------------------- */

/* The clock stops and the kernel's figures are read while the group exists. */
static void stop_clock(struct run *run)
{
	uint64_t now = loop_now_us(), cpu_us = 0, peak = 0;

	run->over = true;
	if (run->asked_us)
		run->waited_us += now - run->asked_us;
	run->asked_us = 0;
	run->outcome.wall_us = now - run->started_us - run->waited_us;
	if (sandbox_read_meters(run->config.sandbox, &cpu_us, &peak))
		return;
	run->outcome.cpu_us = cpu_us - run->before.cpu_us;
	run->outcome.memory_peak_bytes = peak;
}

static uint64_t limit_met(const struct run *run)
{
	if (run->met_limit)
		return run->met_limit;
	switch (run->outcome.reason) {
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

static void stop_timers(struct run *run)
{
	loop_clear_timer(run->config.loop, &run->wall);
	loop_clear_timer(run->config.loop, &run->cpu);
	loop_clear_timer(run->config.loop, &run->grace);
	loop_clear_timer(run->config.loop, &run->input);
}

static void conclude(struct run *run, enum remains remains)
{
	stop_timers(run);
	if (remains != REMAINS_NONE)
		run_hold(run, false);
	fair_end(&run->fair, remains != REMAINS_NONE);
	run->outcome.remains = remains;
	run->outcome.limit = limit_met(run);
	run->config.owner.finished(run->config.owner.context, &run->outcome);
}

static void conclude_by_limit(struct run *run)
{
	sandbox_take_output(run->config.sandbox); /* it may be more than the limit on output */
	stop_clock(run);
	ending_by_limit(&run->outcome, run->met, -SIGKILL);
	conclude(run, REMAINS_KILLED);
}

/* What the kernel has killed the program for, or refused it. */
static enum reason killed_by(const struct run *run)
{
	struct cgroup_usage usage;

	if (run->refused)
		return REASON_PROCESSES;
	if (sandbox_read_usage(run->config.sandbox, &usage))
		return REASON_NONE;
	if (usage.oom_kills > run->before.oom_kills)
		return REASON_MEMORY;
	return usage.forks_refused > run->before.forks_refused ? REASON_PROCESSES : REASON_NONE;
}

/* -- limits ----------------------------------------------------------------------- */

static void on_grace(struct loop_timer *timer)
{
	conclude_by_limit(LOOP_OWNER(timer, struct run, grace));
}

static void meet(struct run *run, enum reason reason, uint64_t limit)
{
	if (run->over || run->met != REASON_NONE)
		return;
	run->met = reason;
	run->met_limit = limit;
	run_hold(run, false); /* it must be able to end */
	if (run->most_written - run->written > LAST_WORDS_BYTES)
		run->most_written = run->written + LAST_WORDS_BYTES;
	if (is_command(run)) { /* its end is told by died(), like any other */
		if (sandbox_kill_command(run->config.sandbox))
			conclude_by_limit(run);
		return;
	}
	if (!run->config.grace_ms) {
		conclude_by_limit(run);
		return;
	}
	(void)sandbox_signal(run->config.sandbox, SIGINT);
	if (loop_set_timer(run->config.loop, &run->grace,
			   loop_now_us() + run->config.grace_ms * 1000, on_grace))
		conclude_by_limit(run);
}

static void on_wall(struct loop_timer *timer)
{
	meet(LOOP_OWNER(timer, struct run, wall), REASON_WALL_TIME, 0);
}

static void on_input_late(struct loop_timer *timer)
{
	struct run *run = LOOP_OWNER(timer, struct run, input);

	meet(run, REASON_WALL_TIME, run->config.input_ms);
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
		meet(run, REASON_CPU_TIME, 0);
		return;
	}
	uint64_t wait = (limit_us - used) * 100 / run->config.cpu_percent;
	if (wait < CPU_CHECK_LEAST_US)
		wait = CPU_CHECK_LEAST_US;
	(void)loop_set_timer(run->config.loop, timer, loop_now_us() + wait, on_cpu);
}

/* -- output -------------------------------------------------------------------------- */

static void on_output(void *context, struct sandbox *sandbox, enum sandbox_stream stream,
		      const uint8_t *bytes, size_t length)
{
	struct run *run = context;
	uint64_t room = run->most_written - run->written;
	size_t given = length < room ? length : (size_t)room;

	(void)sandbox;
	if (run->over)
		return;
	run->written += given;
	run->outcome.truncated[stream] |= given < length;
	if (given)
		run->config.owner.output(run->config.owner.context, stream, bytes, given);
	if (given < length)
		meet(run, REASON_OUTPUT, 0);
}

/* -- input ------------------------------------------------------------------------ */

static int start_wall(struct run *run)
{
	uint64_t due = run->started_us + run->waited_us + run->config.limits.wall_ms * 1000;

	return loop_set_timer(run->config.loop, &run->wall, due, on_wall);
}

/* CPU time goes on counting: what else the program does meanwhile is work. */
static void wait_for_input(struct run *run)
{
	uint64_t most_us = run->config.input_ms * 1000;

	if (run->asked_us) /* a signal's handler asks as well */
		run->waited_us += loop_now_us() - run->asked_us;
	uint64_t left = most_us > run->waited_us ? most_us - run->waited_us : 0;
	run->asked_us = loop_now_us();
	loop_clear_timer(run->config.loop, &run->wall);
	if (loop_set_timer(run->config.loop, &run->input, run->asked_us + left, on_input_late))
		meet(run, REASON_WALL_TIME, run->config.input_ms);
}

static int answer_input(struct run *run, const void *bytes, size_t length)
{
	loop_clear_timer(run->config.loop, &run->input);
	if (run->asked_us)
		run->waited_us += loop_now_us() - run->asked_us;
	run->asked_us = 0;
	int error = start_wall(run);
	return error ? error
		     : sandbox_give_input(run->config.sandbox, bytes, length, run->end_of_input);
}

static void on_input(void *context, struct sandbox *sandbox, const uint8_t *prompt, size_t length,
		     bool password)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over)
		return;
	if (!run->config.owner.input)
		run->end_of_input = true;
	if (run->ahead.length || run->end_of_input) {
		AUTO_BUFFER ahead = run->ahead;

		run->ahead = BUFFER_INIT(RUN_INPUT_AHEAD_MAX);
		(void)answer_input(run, ahead.data, ahead.length);
	} else {
		wait_for_input(run);
		run->config.owner.input(run->config.owner.context, prompt, length, password);
	}
}

int run_give_input(struct run *run, const void *bytes, size_t length, bool eof)
{
	if (run->over || run->end_of_input || !(run->config.job.flags & MAILBOX_INTERACTIVE))
		return -EPIPE;
	if (!run->asked_us && buffer_append(&run->ahead, bytes, length))
		return -ENOSPC;
	run->end_of_input = eof;
	return run->asked_us ? answer_input(run, bytes, length) : 0;
}

bool run_waits_for_input(const struct run *run)
{
	return run->asked_us != 0;
}

/* -- what the sandbox tells --------------------------------------------------------- */

static void on_display(void *context, struct sandbox *sandbox, const uint8_t *text, size_t length)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over || !run->config.owner.display)
		return;
	if (run->displays >= run->config.displays ||
	    length > run->config.display_bytes - run->display_bytes) {
		run->outcome.displays_dropped++;
		return;
	}
	run->displays++;
	run->display_bytes += length;
	run->config.owner.display(run->config.owner.context, text, length);
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
	ending_by_report(&run->outcome, exit_code);
	if (run->met != REASON_NONE)
		ending_by_limit(&run->outcome, run->met, exit_code ? exit_code : 1);
	else if (run->outcome.reason == REASON_PROCESSES && killed_by(run) != REASON_PROCESSES)
		ending_by_exception(&run->outcome, exit_code);
	conclude(run, REMAINS_IDLE);
}

/* Of a command: it has ended, and the interpreter beside it is idle. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over)
		return;
	stop_clock(run);
	enum reason killed = killed_by(run);
	if (run->met != REASON_NONE)
		ending_by_limit(&run->outcome, run->met, -SIGKILL);
	else
		ending_by_death(&run->outcome, status, killed);
	if (is_command(run) && killed == REASON_MEMORY && run->outcome.reason != REASON_MEMORY)
		run->outcome.note = "Memory limit exceeded: a process of the command was killed.";
	conclude(run, is_command(run) ? REMAINS_IDLE : REMAINS_KILLED);
}

/* A command's first process: died() follows. */
static void on_refused(void *context, struct sandbox *sandbox)
{
	struct run *run = context;

	(void)sandbox;
	run->refused = true;
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over)
		return;
	stop_clock(run);
	ending_by_limit(&run->outcome,
			killed_by(run) == REASON_MEMORY ? REASON_MEMORY : REASON_INTERNAL,
			-SIGKILL);
	conclude(run, REMAINS_NONE);
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	(void)context;
	(void)sandbox; /* nothing of ours */
}

/* -- in and out ---------------------------------------------------------------------- */

static int start(struct run *run)
{
	const struct limits *limits = &run->config.limits;
	struct sandbox *sandbox = run->config.sandbox;
	int error = sandbox_limit(sandbox, limits);

	run->before = sandbox_seen_usage(sandbox);
	if (!error)
		error = sandbox_read_meters(sandbox, &run->before.cpu_us,
					    &run->before.memory_peak_bytes);
	run->started_us = loop_now_us();
	if (!error)
		error = start_wall(run);
	if (!error && limits->cpu_ms * 100 < limits->wall_ms * run->config.cpu_percent)
		error = loop_set_timer(run->config.loop, &run->cpu,
				       run->started_us + CPU_CHECK_LEAST_US, on_cpu);
	if (error)
		return error;
	fair_begin(&run->fair, run->config.loop, sandbox, run->before.cpu_us, run->config.rivals);
	return is_command(run) ? sandbox_start_command(sandbox, &run->config.job)
			       : sandbox_start(sandbox, &run->config.job);
}

int run_begin(const struct run_config *config, struct run **ret_run)
{
	struct run *run = calloc(1, sizeof *run);

	if (!run)
		return -ENOMEM;
	run->config = *config;
	run->config.job.open_files = config->limits.open_files;
	run->config.job.file_bytes = config->limits.file_bytes;
	run->ahead = BUFFER_INIT(RUN_INPUT_AHEAD_MAX);
	run->most_written = config->limits.output_bytes;
	sandbox_set_owner(config->sandbox, &(struct sandbox_owner){ .idle = on_idle,
								    .done = on_done,
								    .output = on_output,
								    .display = on_display,
								    .input = on_input,
								    .died = on_died,
								    .refused = on_refused,
								    .failed = on_failed,
								    .context = run });
	int error = start(run);
	if (error) {
		run_free(run);
		return error;
	}
	*ret_run = run;
	return 0;
}

void run_interrupt(struct run *run)
{
	meet(run, REASON_INTERRUPTED, 0);
}

void run_hold(struct run *run, bool hold)
{
	if (run->held == hold || (hold && (run->over || run->met != REASON_NONE)))
		return;
	run->held = hold;
	sandbox_hold_output(run->config.sandbox, hold);
}

void run_free(struct run *run)
{
	if (!run)
		return;
	stop_timers(run);
	fair_end(&run->fair, false);
	buffer_reset(&run->ahead);
	free(run->report);
	free(run);
}
