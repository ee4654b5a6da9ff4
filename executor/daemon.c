#define _GNU_SOURCE
#include "executor/executor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "executor/run/profile.h"
#include "executor/selftest/selftest.h"
#include "executor/server/server.h"

enum { STOP_POLL_US = 20000 };

/* -- FRAME_INFO: what this executor is, what it isolates, how busy it is ----------------- */

static int put_counter(struct buffer *list, const char *name, uint64_t value)
{
	AUTO_BUFFER one = BUFFER_INIT(256);
	int error = fields_put_text(&one, FIELD_NAME, name);

	if (!error)
		error = fields_put_number(&one, FIELD_SIZE_BYTES, value);
	return error ? error : fields_put_bytes(list, FIELD_COUNTER, one.data, one.length);
}

static int put_counters(const struct executor *executor, struct buffer *list)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "runs", executor->counters[COUNTER_RUNS] },
		{ "cells", executor->counters[COUNTER_CELLS] },
		{ "refused", executor->counters[COUNTER_REFUSED] },
		{ "sessions_made", executor->counters[COUNTER_SESSIONS_MADE] },
		{ "restored", executor->counters[COUNTER_RESTORED] },
		{ "lost", executor->counters[COUNTER_LOST] },
		{ "running", admission_running(executor->admission) },
		{ "queued", admission_queued(executor->admission) },
		{ "sessions", executor->session_count },
		{ "sandboxes", sandboxes_count(executor->sandboxes) },
		{ "pool_ready", environments_ready(executor->environments) },
		{ "zygotes_warm", environments_warm_zygotes(executor->environments) },
		{ "files_bytes", sandboxes_file_bytes(executor->sandboxes) },
		{ "limit_files_bytes", executor->options.sandboxes_files_bytes },
		{ "limit_running", executor->options.running },
		{ "limit_running_per_client", executor->options.running_per_client },
		{ "limit_queue", executor->options.queue },
		{ "limit_sessions", executor->options.sessions },
		{ "limit_sessions_per_client", executor->options.sessions_per_client },
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof counters / sizeof *counters; i++)
		error = put_counter(list, counters[i].name, counters[i].value);
	return error;
}

static int put_profile(struct buffer *list, const struct profile *profile)
{
	AUTO_BUFFER one = BUFFER_INIT(4096);
	int error = fields_put_text(&one, FIELD_PROFILE, profile->name);

	if (!error)
		error = limits_put(&profile->limits, &one);
	if (!error)
		error = session_limits_put(&profile->session, &one);
	return error ? error : fields_put_bytes(list, FIELD_PROFILE_LIMITS, one.data, one.length);
}

static void info_handle(void *context, struct call *call)
{
	const struct executor *executor = context;
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	int error = fields_put_text(&fields, FIELD_VERSION, PACKAGE_VERSION);

	if (!error)
		error = doctor_put(executor->doctor, &fields);
	if (!error)
		error = put_counters(executor, &fields);
	if (!error)
		error = environments_put(executor->environments, &fields);
	for (size_t i = 0; !error && i < PROFILE_COUNT; i++)
		error = put_profile(&fields, &profiles[i]);
	if (error)
		req_refuse_internal(call, "describe the service", error);
	else
		call_finish(call, FRAME_REPLY, &fields);
	buffer_reset(&fields);
}

/* -- the calls --------------------------------------------------------------------------- */

static const struct operation operations[] = {
	[FRAME_EXECUTE] = { FRAME_REQUEST_MAX, oneshot_handle },
	[FRAME_EVALUATE] = { FRAME_REQUEST_MAX, evaluate_handle },
	[FRAME_SESSION_CREATE] = { 4096, session_handle_create },
	[FRAME_SESSION_EXECUTE] = { FRAME_REQUEST_MAX, session_handle_execute },
	[FRAME_SESSION_INTERRUPT] = { 4096, session_handle_interrupt },
	[FRAME_SESSION_RESET] = { 4096, session_handle_reset },
	[FRAME_SESSION_UNDO] = { 4096, session_handle_undo },
	[FRAME_SESSION_VARIABLES] = { 4096, session_handle_variables },
	[FRAME_SESSION_SHOW] = { 4096, session_handle_show },
	[FRAME_SESSION_LIST] = { 4096, session_handle_list },
	[FRAME_SESSION_HISTORY] = { 4096, session_handle_history },
	[FRAME_SESSION_DELETE] = { 4096, session_handle_delete },
	[FRAME_SESSION_WORKSPACE] = { 4096, session_handle_workspace },
	[FRAME_SESSION_RUN] = { FRAME_REQUEST_MAX, session_handle_run },
	[FRAME_SESSION_STDIN] = { FRAME_REQUEST_MAX, session_handle_stdin },
	[FRAME_SESSION_CELLS] = { 4096, session_handle_cells },
	[FRAME_SESSION_CELL] = { 4096, session_handle_cell },
	[FRAME_INFO] = { 4096, info_handle },
};

/* -- shutting down -------------------------------------------------------------- */

/* The loop ends when the last sandbox has been torn down. */
static void stop_if_gone(struct executor *executor)
{
	if (executor->ending && !sandboxes_count(executor->sandboxes))
		loop_stop(executor->loop);
}

static void end_everything(struct executor *executor)
{
	if (executor->ending)
		return;
	executor->ending = true;
	loop_clear_timer(executor->loop, &executor->stop);
	sessions_end_all(executor);
	server_free(executor->server);
	executor->server = NULL;
	doctor_free(executor->doctor);
	executor->doctor = NULL;
	environments_close(executor->environments);
	stop_if_gone(executor);
}

/* What runs may go on for a while; then it is over. */
static void on_stop_timer(struct loop_timer *timer)
{
	struct executor *executor = LOOP_OWNER(timer, struct executor, stop);
	bool over = !executor->server || !server_calls(executor->server) ||
		    loop_now_us() >= executor->stop_at_us;

	if (over ||
	    loop_set_timer(executor->loop, timer, loop_now_us() + STOP_POLL_US, on_stop_timer))
		end_everything(executor);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct executor *executor = LOOP_OWNER(source, struct executor, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof info) != sizeof info)
		return;
	log_info("signal %u: stopping", info.ssi_signo);
	if (executor->stopping) { /* the second one: at once */
		end_everything(executor);
		return;
	}
	executor->stopping = true;
	executor->stop_at_us = loop_now_us() + executor->options.shutdown_ms * 1000;
	if (executor->server)
		server_stop(executor->server);
	on_stop_timer(&executor->stop);
}

/* -- what the parts tell ---------------------------------------------------------- */

void daemon_on_gone(void *context)
{
	struct executor *executor = context;

	environments_refill(executor->environments);
	stop_if_gone(executor);
}

void daemon_on_available(void *context)
{
	struct executor *executor = context;

	admission_pump(executor->admission);
}

/* Who waits for the environment need not wait; without base, nobody needs us. */
void daemon_on_broken(void *context, struct environment *environment)
{
	struct executor *executor = context;

	admission_expel(executor->admission, environment_pool(environment));
	if (environment != environments_base(executor->environments))
		return;
	log_error("not serving: no zygote can start; the lines above say why");
	executor->exit_status = EXIT_UNSAFE;
	end_everything(executor);
}

void daemon_on_tried(struct executor *executor, bool well)
{
	executor->exit_status = well ? 0 : EXIT_FAILURE;
	end_everything(executor);
}

void daemon_on_examined(struct executor *executor)
{
	doctor_log(executor->doctor);
	if (executor->doctor_only)
		doctor_print(executor->doctor, stdout);
	if (!doctor_healthy(executor->doctor)) {
		log_error(
			"not serving: a wall of the sandbox does not hold; see executor --doctor");
		executor->exit_status = EXIT_UNSAFE;
		end_everything(executor);
		return;
	}
	if (executor->doctor_only) {
		end_everything(executor);
		return;
	}
	int error = server_new(
		&(struct server_config){ .loop = executor->loop,
					 .path = executor->options.socket,
					 .peer = executor->peer,
					 .operations = operations,
					 .operation_count = sizeof operations / sizeof *operations,
					 .context = executor },
		&executor->server);
	if (error) {
		log_error("cannot listen on %s: %s", executor->options.socket, strerror(-error));
		executor->exit_status = EXIT_UNSAFE;
		end_everything(executor);
		return;
	}
	log_info("serving on %s, cgroups %s, every wall holds", executor->options.socket,
		 cgroup_tree_version(executor->cgroups));
}

/* -- signals -------------------------------------------------------------------------- */

int daemon_watch_signals(struct executor *executor)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno
		      : loop_add(executor->loop, &executor->signals, fd, EPOLLIN, on_signal);
}
