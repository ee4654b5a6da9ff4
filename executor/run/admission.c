#include "executor/run/admission.h"

#include <errno.h>
#include <stdlib.h>

enum { RUN_MS = 1000 }; /* what a run is taken to last */

struct admission {
	struct admission_config config;
	struct waiter *first, **last;
	uint64_t running, queued;
	bool pumping;
};

int admission_new(const struct admission_config *config, struct admission **ret_admission)
{
	struct admission *admission = calloc(1, sizeof *admission);

	if (!admission)
		return -ENOMEM;
	admission->config = *config;
	admission->last = &admission->first;
	*ret_admission = admission;
	return 0;
}

static void unlink_waiter(struct admission *admission, struct waiter *waiter)
{
	struct waiter **link = &admission->first;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	if (!*link)
		admission->last = link;
	waiter->waiting = false;
	admission->queued--;
	loop_clear_timer(admission->config.loop, &waiter->timer);
}

static bool can_enter(const struct admission *admission, const struct waiter *waiter)
{
	if (waiter->runs && admission->running >= admission->config.running)
		return false;
	return !waiter->needs_sandbox || pool_ready(admission->config.pool);
}

static void let_in(struct admission *admission, struct waiter *waiter)
{
	struct sandbox *sandbox = NULL;

	if (waiter->needs_sandbox)
		sandbox = pool_take(admission->config.pool);
	admission->running += waiter->runs;
	waiter->granted(waiter, sandbox);
}

void admission_pump(struct admission *admission)
{
	if (admission->pumping) /* the outer one will see it */
		return;
	admission->pumping = true;
	while (admission->first && can_enter(admission, admission->first)) {
		struct waiter *waiter = admission->first;

		unlink_waiter(admission, waiter);
		let_in(admission, waiter);
	}
	admission->pumping = false;
}

static void on_expired(struct loop_timer *timer)
{
	struct waiter *waiter = LOOP_OWNER(timer, struct waiter, timer);

	unlink_waiter(waiter->admission, waiter);
	waiter->expired(waiter);
}

int admission_enter(struct admission *admission, struct waiter *waiter)
{
	if (!admission->first && can_enter(admission, waiter)) {
		let_in(admission, waiter);
		return 0;
	}
	if (admission->queued >= admission->config.queue)
		return -EAGAIN;
	int error = loop_set_timer(admission->config.loop, &waiter->timer,
				   loop_now_us() + admission->config.queue_ms * 1000, on_expired);
	if (error)
		return -EAGAIN;
	waiter->admission = admission;
	waiter->next = NULL;
	waiter->waiting = true;
	*admission->last = waiter;
	admission->last = &waiter->next;
	admission->queued++;
	return 0;
}

void admission_withdraw(struct admission *admission, struct waiter *waiter)
{
	if (waiter->waiting)
		unlink_waiter(admission, waiter);
}

void admission_leave(struct admission *admission)
{
	admission->running--;
	admission_pump(admission);
}

uint64_t admission_running(const struct admission *admission)
{
	return admission->running;
}

uint64_t admission_queued(const struct admission *admission)
{
	return admission->queued;
}

uint64_t admission_retry_ms(const struct admission *admission)
{
	const struct admission_config *config = &admission->config;
	uint64_t ahead_ms = RUN_MS * (1 + admission->queued / config->running);
	/* nobody waits for longer than queue_ms: after that all are others */
	uint64_t most_ms = config->queue_ms > RUN_MS ? config->queue_ms : RUN_MS;

	return ahead_ms < most_ms ? ahead_ms : most_ms;
}

void admission_free(struct admission *admission)
{
	free(admission);
}
