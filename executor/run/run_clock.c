/* A run's clocks, its limits, and how it is ended when one is met. */
#define _GNU_SOURCE
#include <signal.h>

#include "executor/run/ending.h"
#include "executor/run/run_parts.h"

enum {
	CPU_CHECK_LEAST_US = 5000,
	/* Of output once a limit is met: it comes whether it is read or not. */
	LAST_WORDS_BYTES = 1 << 20,
};

/* -- its end --------------------------------------------------------------------- */

/* The clock stops and the kernel's figures are read while the group exists. */
void run_stop_clock(struct run *run)
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

void run_stop_timers(struct run *run)
{
	loop_clear_timer(run->config.loop, &run->wall);
	loop_clear_timer(run->config.loop, &run->cpu);
	loop_clear_timer(run->config.loop, &run->grace);
	loop_clear_timer(run->config.loop, &run->input);
}

void run_conclude(struct run *run, enum remains remains)
{
	run_stop_timers(run);
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
	run_stop_clock(run);
	ending_by_limit(&run->outcome, run->met, -SIGKILL);
	run_conclude(run, REMAINS_KILLED);
}

/* What the kernel has killed the program for, or refused it. */
enum reason run_killed_by(const struct run *run)
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

void run_meet(struct run *run, enum reason reason, uint64_t limit)
{
	if (run->over || run->met != REASON_NONE)
		return;
	run->met = reason;
	run->met_limit = limit;
	run_hold(run, false); /* it must be able to end */
	if (run->most_written - run->written > LAST_WORDS_BYTES)
		run->most_written = run->written + LAST_WORDS_BYTES;
	if (run_is_command(run)) { /* its end is told by died(), like any other */
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
	run_meet(LOOP_OWNER(timer, struct run, wall), REASON_WALL_TIME, 0);
}

/* CPU cannot be used up sooner than all allowed CPUs would need: look then. */
static void on_cpu(struct loop_timer *timer)
{
	struct run *run = LOOP_OWNER(timer, struct run, cpu);
	uint64_t limit_us = run->config.limits.cpu_ms * 1000;
	uint64_t cpu_us = 0;

	if (sandbox_read_meters(run->config.sandbox, &cpu_us, NULL))
		return;
	uint64_t used = cpu_us - run->before.cpu_us;
	if (used >= limit_us) {
		run_meet(run, REASON_CPU_TIME, 0);
		return;
	}
	uint64_t wait = (limit_us - used) * 100 / run->config.cpu_percent;
	if (wait < CPU_CHECK_LEAST_US)
		wait = CPU_CHECK_LEAST_US;
	(void)loop_set_timer(run->config.loop, timer, loop_now_us() + wait, on_cpu);
}

int run_start_wall(struct run *run)
{
	uint64_t due = run->started_us + run->waited_us + run->config.limits.wall_ms * 1000;

	return loop_set_timer(run->config.loop, &run->wall, due, on_wall);
}

int run_watch_cpu(struct run *run)
{
	return loop_set_timer(run->config.loop, &run->cpu, run->started_us + CPU_CHECK_LEAST_US,
			      on_cpu);
}

void run_hold(struct run *run, bool hold)
{
	if (run->held == hold || (hold && (run->over || run->met != REASON_NONE)))
		return;
	run->held = hold;
	sandbox_hold_output(run->config.sandbox, hold);
}
