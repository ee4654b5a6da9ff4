#define _GNU_SOURCE
#include "executor/run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/mailbox.h"
#include "executor/run/ending.h"
#include "executor/run/run_parts.h"

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
		run_meet(run, REASON_OUTPUT, 0);
}

/* -- input ------------------------------------------------------------------------ */

static void on_input_late(struct loop_timer *timer)
{
	struct run *run = LOOP_OWNER(timer, struct run, input);

	run_meet(run, REASON_WALL_TIME, run->config.input_ms);
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
		run_meet(run, REASON_WALL_TIME, run->config.input_ms);
}

static int answer_input(struct run *run, const void *bytes, size_t length)
{
	loop_clear_timer(run->config.loop, &run->input);
	if (run->asked_us)
		run->waited_us += loop_now_us() - run->asked_us;
	run->asked_us = 0;
	int error = run_start_wall(run);
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

/* -- what the sandbox tells --------------------------------------------------------- */

static size_t display_room(void *context)
{
	const struct run *run = context;
	bool takes =
		!run->over && run->config.owner.display && run->displays < run->config.displays;

	return takes ? (size_t)(run->config.display_bytes - run->display_bytes) : 0;
}

static void on_display(void *context, struct sandbox *sandbox, const uint8_t *text, size_t length)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over || !run->config.owner.display)
		return;
	if (run->displays >= run->config.displays || length > display_room(run)) {
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
	run_stop_clock(run);
	if (sandbox_read_report(sandbox, &run->report, &length, &exit_code) ||
	    fields_check(run->report, length))
		length = 0; /* nonsense: as if it had said nothing */
	run->outcome.report = run->report;
	run->outcome.report_length = length;
	ending_by_report(&run->outcome, exit_code);
	if (run->met != REASON_NONE)
		ending_by_limit(&run->outcome, run->met, exit_code ? exit_code : 1);
	else if (run->outcome.reason == REASON_PROCESSES && run_killed_by(run) != REASON_PROCESSES)
		ending_by_exception(&run->outcome, exit_code);
	run_conclude(run, REMAINS_IDLE);
}

/* Of a command: it has ended, and the interpreter beside it is idle. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	struct run *run = context;

	(void)sandbox;
	if (run->over)
		return;
	run_stop_clock(run);
	enum reason killed = run_killed_by(run);
	if (run->met != REASON_NONE)
		ending_by_limit(&run->outcome, run->met, -SIGKILL);
	else
		ending_by_death(&run->outcome, status, killed);
	if (run_is_command(run) && killed == REASON_MEMORY && run->outcome.reason != REASON_MEMORY)
		run->outcome.note = "Memory limit exceeded: a process of the command was killed.";
	run_conclude(run, run_is_command(run) ? REMAINS_IDLE : REMAINS_KILLED);
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
	run_stop_clock(run);
	ending_by_limit(&run->outcome,
			run_killed_by(run) == REASON_MEMORY ? REASON_MEMORY : REASON_INTERNAL,
			-SIGKILL);
	run_conclude(run, REMAINS_NONE);
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
		error = sandbox_read_meters(sandbox, &run->before.cpu_us, NULL);
	run->started_us = loop_now_us();
	if (!error)
		error = run_start_wall(run);
	if (!error && limits->cpu_ms * 100 < limits->wall_ms * run->config.cpu_percent)
		error = run_watch_cpu(run);
	if (error)
		return error;
	fair_begin(&run->fair, run->config.loop, sandbox, run->before.cpu_us, run->config.rivals);
	return run_is_command(run) ? sandbox_start_command(sandbox, &run->config.job)
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
								    .display_room = display_room,
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
	run_meet(run, REASON_INTERRUPTED, 0);
}

void run_free(struct run *run)
{
	if (!run)
		return;
	run_stop_timers(run);
	fair_end(&run->fair, false);
	buffer_reset(&run->ahead);
	free(run->report);
	free(run);
}
