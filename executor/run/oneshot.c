/* A one-shot: code in, outcome out, in a sandbox of its own that ends with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mailbox.h"
#include "executor/environments/environments.h"
#include "executor/executor.h"
#include "executor/run/run.h"
#include "executor/server/server.h"

enum { FILES_MS = 30000 };

struct oneshot {
	struct executor *executor;
	struct call *call;
	struct environment *environment; /* held */
	struct waiter waiter;
	struct loop_timer timer; /* for the files */
	struct limits limits;
	uint32_t flags;
	bool streams;
	struct sandbox *sandbox;
	struct incoming incoming; /* files */
	struct run *run;
};

/* Its sandbox may serve another program: it met no limit and did not crash. */
static bool ended_well(const struct outcome *outcome)
{
	return outcome->remains == REMAINS_IDLE &&
	       (outcome->reason == REASON_NONE || outcome->reason == REASON_EXCEPTION ||
		outcome->reason == REASON_EXIT);
}

/* The program is killed before the answer leaves; reaping may follow it. */
static void leave_sandbox(struct oneshot *oneshot, bool good)
{
	struct pool *pool = environment_pool(oneshot->environment);

	if (pool)
		pool_give_back(pool, oneshot->sandbox, good);
	else
		sandbox_kill(oneshot->sandbox);
	oneshot->sandbox = NULL;
}

static void let_go(struct oneshot *oneshot, bool good)
{
	struct executor *executor = oneshot->executor;

	admission_withdraw(executor->admission, &oneshot->waiter);
	loop_clear_timer(executor->loop, &oneshot->timer);
	run_free(oneshot->run);
	sandbox_settle_files(&oneshot->incoming);
	if (oneshot->sandbox) {
		leave_sandbox(oneshot, good);
		admission_leave(executor->admission, &oneshot->waiter);
	}
	environment_release(oneshot->environment);
	free(oneshot);
}

static void on_cancel(struct call *call)
{
	let_go(call->context, false);
}

/* The program waits when nobody reads what it writes. */
static void hold_if_full(struct oneshot *oneshot)
{
	if (oneshot->streams && !call_has_room(oneshot->call))
		run_hold(oneshot->run, true);
}

static void on_has_room(struct call *call)
{
	struct oneshot *oneshot = call->context;

	if (oneshot->run)
		run_hold(oneshot->run, false);
}

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct oneshot *oneshot = context;

	call_output(oneshot->call, stream, bytes, length);
	hold_if_full(oneshot);
}

static void on_display(void *context, const uint8_t *text, size_t length)
{
	struct oneshot *oneshot = context;

	call_event(oneshot->call, FRAME_DISPLAY, text, length);
	hold_if_full(oneshot);
}

/* Events follow from now on, no refusal any more. */
static void tell_start(struct oneshot *oneshot)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_number(&fields, FIELD_SEQUENCE, 1);
	call_event(oneshot->call, FRAME_START, fields.data, fields.length);
}

static void log_outcome(const struct call *call, const struct outcome *outcome)
{
	char id[160];
	const char *reason = protocol_reason_name(outcome->reason);

	call_request_id(call, id, sizeof id);
	log_info("request %s: run %s%s%s in %llu us, cpu %llu us", id,
		 protocol_status_name(outcome->status), reason ? " by " : "", reason ? reason : "",
		 (unsigned long long)outcome->wall_us, (unsigned long long)outcome->cpu_us);
}

static void on_finished(void *context, const struct outcome *run_outcome)
{
	struct oneshot *oneshot = context;
	struct call *call = oneshot->call;
	struct buffer fields = BUFFER_INIT(FRAME_FINAL_MAX);
	struct outcome outcome = *run_outcome;
	char note[IMPORT_NOTE_BYTES];

	oneshot->executor->counters[COUNTER_RUNS]++;
	log_outcome(call, &outcome);
	import_note(oneshot->executor->environments, &outcome, note);
	int error = outcome_put(&outcome, &fields);
	let_go(oneshot, ended_well(&outcome));
	if (error)
		req_refuse_internal(call, "render the outcome", error);
	else
		call_finish(call, FRAME_OUTCOME, &fields);
	buffer_reset(&fields);
}

static void begin(struct oneshot *oneshot)
{
	struct call *call = oneshot->call;
	struct sandbox *sandbox = oneshot->sandbox;
	struct field_view code = req_optional(call, FIELD_CODE);
	struct field_view input = req_optional(call, FIELD_STDIN);

	const struct options *options = &oneshot->executor->options;
	int error = run_begin(&(struct run_config){ .loop = oneshot->executor->loop,
						    .sandbox = sandbox,
						    .limits = oneshot->limits,
						    .cpu_percent = options->cpu_percent,
						    .rivals = admission_rivals(&oneshot->waiter),
						    .displays = options->displays,
						    .display_bytes = options->display_bytes,
						    .job = { .kind = JOB_SCRIPT,
							     .flags = oneshot->flags,
							     .payload = code.value,
							     .payload_length = code.length,
							     .stdin_bytes = input.value,
							     .stdin_length = input.length },
						    .owner = { .output = on_output,
							       .display = on_display,
							       .finished = on_finished,
							       .context = oneshot } },
			      &oneshot->run);
	if (error) {
		let_go(oneshot, false);
		req_refuse_internal(call, "start the run", error);
	} else if (oneshot->streams) {
		tell_start(oneshot);
	}
}

/* -- files first ------------------------------------------------------------- */

static void on_late(struct loop_timer *timer)
{
	struct oneshot *oneshot = LOOP_OWNER(timer, struct oneshot, timer);
	struct call *call = oneshot->call;

	let_go(oneshot, false);
	call_refuse_busy(call, REFUSAL_INTERNAL, "The files did not come in time.", 1000);
}

static void on_proceed(struct call *call)
{
	struct oneshot *oneshot = call->context;

	loop_clear_timer(oneshot->executor->loop, &oneshot->timer);
	sandbox_settle_files(&oneshot->incoming);
	begin(oneshot);
}

/* The application puts its files in, then says FRAME_CONTINUE. */
static void offer_workspace(struct oneshot *oneshot)
{
	struct executor *executor = oneshot->executor;
	struct call *call = oneshot->call;
	int error = sandbox_limit(oneshot->sandbox, &oneshot->limits);
	if (!error)
		error = sandbox_admit_files(oneshot->sandbox, req_number(call, FIELD_PUT_BYTES),
					    &oneshot->incoming);
	int fd = error ? error : sandbox_share_workspace(oneshot->sandbox, call_peer(call));

	error = fd < 0 ? fd
		       : loop_set_timer(executor->loop, &oneshot->timer,
					loop_now_us() + FILES_MS * 1000, on_late);
	if (error) {
		if (fd >= 0)
			close(fd);
		let_go(oneshot, false);
		req_refuse_files(call, error);
		return;
	}
	call->proceed = on_proceed;
	call_workspace(call, fd);
	close(fd);
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct oneshot *oneshot = LOOP_OWNER(waiter, struct oneshot, waiter);

	oneshot->sandbox = sandbox;
	if (req_number(oneshot->call, FIELD_WANT_FILES))
		offer_workspace(oneshot);
	else
		begin(oneshot);
}

static void refuse_busy(struct oneshot *oneshot, const char *message)
{
	struct call *call = oneshot->call;
	uint64_t retry_ms = admission_retry_ms(oneshot->executor->admission);

	oneshot->executor->counters[COUNTER_REFUSED]++;
	let_go(oneshot, false);
	call_refuse_busy(call, REFUSAL_BUSY, message, retry_ms);
}

static void on_expired(struct waiter *waiter)
{
	refuse_busy(LOOP_OWNER(waiter, struct oneshot, waiter),
		    "The service is busy: the run waited too long for its turn.");
}

void oneshot_handle(void *context, struct call *call)
{
	struct executor *executor = context;
	const struct profile *profile;
	struct environment *environment;
	struct limits base, limits;
	struct field_view code;

	if (!req_profile(call, &profile) || !req_code(call, &code) ||
	    !req_held_environment(call, executor->environments, profile, &environment))
		return;
	base = environment_limits(environment, &profile->limits);
	if (!req_run_limits(call, &base, profile, &executor->options, &limits)) {
		environment_release(environment);
		return;
	}
	struct oneshot *oneshot = calloc(1, sizeof *oneshot);
	if (!oneshot) {
		environment_release(environment);
		req_refuse_internal(call, "remember the run", -ENOMEM);
		return;
	}
	oneshot->executor = executor;
	oneshot->call = call;
	oneshot->environment = environment;
	oneshot->limits = limits;
	oneshot->flags = profile->readonly ? MAILBOX_READONLY : 0;
	oneshot->streams = req_number(call, FIELD_STREAM);
	if (oneshot->streams)
		oneshot->flags |= MAILBOX_STREAMING;
	if (req_number(call, FIELD_RESTRICTED))
		oneshot->flags |= MAILBOX_RESTRICTED;
	const struct field_view client = req_optional(call, FIELD_CLIENT);
	oneshot->waiter = (struct waiter){
		.pool = environment_pool(environment),
		.client = (const char *)client.value,
		.client_length = client.length,
		.loan = true,
		.runs = true,
		.granted = on_granted,
		.expired = on_expired,
	};
	call->context = oneshot;
	call->cancel = on_cancel;
	call->has_room = on_has_room;
	if (admission_enter(executor->admission, &oneshot->waiter))
		refuse_busy(oneshot, "The service is busy: too many runs are waiting.");
}
