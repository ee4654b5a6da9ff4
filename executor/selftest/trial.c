#include "executor/selftest/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mailbox.h"
#include "executor/run/profile.h"
#include "executor/run/run.h"

struct trial {
	struct executor *executor;
	struct environment *environment;
	struct waiter waiter;
	struct sandbox *sandbox;
	struct run *run;
	const char *code;
	size_t length;
	void (*ended)(struct executor *executor, bool well);
};

static void let_go(struct trial *trial)
{
	admission_withdraw(trial->executor->admission, &trial->waiter);
	run_free(trial->run);
	trial->run = NULL;
	if (trial->sandbox)
		sandbox_kill(trial->sandbox);
	trial->sandbox = NULL;
	if (trial->environment)
		environment_release(trial->environment);
	trial->environment = NULL;
}

static void end(struct trial *trial, bool well)
{
	let_go(trial);
	trial->ended(trial->executor, well);
}

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	(void)context;
	(void)fwrite(bytes, 1, length, stream == SANDBOX_STDOUT ? stdout : stderr);
}

static void on_finished(void *context, const struct outcome *outcome)
{
	struct trial *trial = context;
	const char *reason = protocol_reason_name(outcome->reason);

	fflush(stdout);
	if (outcome->status != STATUS_SUCCESS)
		log_error("trial: the run ended by %s", reason ? reason : "itself");
	end(trial, outcome->status == STATUS_SUCCESS);
}

static void on_granted(struct waiter *waiter, struct sandbox *sandbox)
{
	struct trial *trial = LOOP_OWNER(waiter, struct trial, waiter);
	struct limits limits =
		environment_limits(trial->environment, &profiles[PROFILE_NATIVE].limits);

	trial->sandbox = sandbox;
	int error =
		run_begin(&(struct run_config){ .loop = trial->executor->loop,
						.sandbox = sandbox,
						.limits = limits,
						.cpu_percent = trial->executor->options.cpu_percent,
						.job = { .kind = JOB_SCRIPT,
							 .payload = trial->code,
							 .payload_length = trial->length },
						.owner = { .output = on_output,
							   .finished = on_finished,
							   .context = trial } },
			  &trial->run);
	if (error) {
		log_error("trial: cannot run: %d", error);
		end(trial, false);
	}
}

static void on_expired(struct waiter *waiter)
{
	struct trial *trial = LOOP_OWNER(waiter, struct trial, waiter);

	log_error("trial: no sandbox could be made");
	end(trial, false);
}

int trial_begin(struct executor *executor, struct environment *environment, const char *code,
		size_t length, void (*ended)(struct executor *executor, bool well),
		struct trial **ret_trial)
{
	struct trial *trial = calloc(1, sizeof *trial);

	if (!trial)
		return -ENOMEM;
	trial->executor = executor;
	trial->code = code;
	trial->length = length;
	trial->ended = ended;
	*ret_trial = trial;
	int error = environment_hold(environment);
	if (error)
		return error;
	trial->environment = environment;
	trial->waiter = (struct waiter){ .pool = environment_pool(environment),
					 .granted = on_granted,
					 .expired = on_expired };
	return admission_enter(executor->admission, &trial->waiter);
}

void trial_free(struct trial *trial)
{
	if (trial)
		let_go(trial);
	free(trial);
}
