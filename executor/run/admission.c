#include "executor/run/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_MS = 1000 }; /* what a run is taken to last */

struct admission {
	struct admission_config config;
	struct waiter *first, **last;
	uint64_t running, queued;
	bool pumping;
	struct clients clients;
};

/* -- what each client has ------------------------------------------------------------ */

static bool is_idle(const struct client *client)
{
	return !client->rivals && !client->waiting;
}

static bool has_name(const struct client *client, const char *name, size_t length)
{
	return !memcmp(client->name, name, length) && !client->name[length];
}

struct client *clients_find(struct clients *clients, const char *name, size_t length)
{
	struct client *idle = NULL;

	if (!length)
		return NULL;
	if (length > CLIENT_NAME_BYTES - 1)
		length = CLIENT_NAME_BYTES - 1;
	for (size_t i = 0; i < clients->used; i++) {
		struct client *client = &clients->table[i];

		if (has_name(client, name, length))
			return client;
		if (!idle && is_idle(client))
			idle = client;
	}
	if (!idle && clients->used < CLIENTS_MAX)
		idle = &clients->table[clients->used++];
	if (idle) {
		*idle = (struct client){ 0 };
		memcpy(idle->name, name, length);
	}
	return idle;
}

/* -- the queue ------------------------------------------------------------------------ */

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
	if (waiter->counted)
		waiter->counted->waiting--;
	loop_clear_timer(admission->config.loop, &waiter->timer);
}

static bool is_held_up(const struct admission *admission, const struct waiter *waiter)
{
	return waiter->runs && admission->running >= admission->config.running;
}

static bool has_sandbox(const struct waiter *waiter)
{
	return !waiter->pool || pool_has(waiter->pool, waiter->loan);
}

static bool has_share(const struct admission *admission, const struct waiter *waiter)
{
	return waiter->runs && waiter->counted &&
	       waiter->counted->running >= admission->config.running_per_client;
}

/* The first in order of arrival that can enter; whoever waits for a place to run is not
 * overtaken, whoever waits for a sandbox of one pool does not hold up the others. */
static struct waiter *next_to_enter(const struct admission *admission)
{
	for (struct waiter *waiter = admission->first; waiter; waiter = waiter->next) {
		if (is_held_up(admission, waiter))
			return NULL;
		if (has_sandbox(waiter) && !has_share(admission, waiter))
			return waiter;
	}
	return NULL;
}

/* Of those that wait none can; a newcomer may, unless it would overtake. */
static bool can_enter_at_once(const struct admission *admission, const struct waiter *newcomer)
{
	for (const struct waiter *waiter = admission->first; waiter; waiter = waiter->next)
		if (is_held_up(admission, waiter))
			return false;
	return !admission->pumping && !is_held_up(admission, newcomer) && has_sandbox(newcomer) &&
	       !has_share(admission, newcomer);
}

static void count_run(struct admission *admission, struct waiter *waiter, int change)
{
	admission->running += (uint64_t)change;
	if (waiter->counted)
		waiter->counted->running += (uint64_t)change;
}

static void count_rival(struct waiter *waiter, int change)
{
	if (waiter->counted)
		waiter->counted->rivals += (uint64_t)change;
}

static void let_in(struct admission *admission, struct waiter *waiter)
{
	struct sandbox *sandbox = NULL;

	if (waiter->pool)
		sandbox = pool_take(waiter->pool, waiter->loan);
	if (waiter->runs) {
		count_run(admission, waiter, 1);
		count_rival(waiter, 1);
	}
	waiter->granted(waiter, sandbox);
}

void admission_pump(struct admission *admission)
{
	struct waiter *waiter;

	if (admission->pumping) /* the outer one will see it */
		return;
	admission->pumping = true;
	while ((waiter = next_to_enter(admission))) {
		unlink_waiter(admission, waiter);
		let_in(admission, waiter);
	}
	admission->pumping = false;
}

void admission_expel(struct admission *admission, const struct pool *pool)
{
	struct waiter *waiter = admission->first;

	while (waiter) {
		if (waiter->pool != pool) {
			waiter = waiter->next;
			continue;
		}
		unlink_waiter(admission, waiter);
		waiter->expired(waiter);
		waiter = admission->first; /* the callee may have withdrawn others */
	}
}

/* Who was next may have kept those behind it waiting: it needed more than they do. */
static void on_expired(struct loop_timer *timer)
{
	struct waiter *waiter = LOOP_OWNER(timer, struct waiter, timer);
	struct admission *admission = waiter->admission;

	unlink_waiter(admission, waiter);
	waiter->expired(waiter);
	admission_pump(admission);
}

static bool queue_is_full(const struct admission *admission, const struct waiter *waiter)
{
	return admission->queued >= admission->config.queue ||
	       (waiter->counted && waiter->counted->waiting >= admission->config.queue_per_client);
}

int admission_enter(struct admission *admission, struct waiter *waiter)
{
	waiter->counted = clients_find(&admission->clients, waiter->client, waiter->client_length);
	if (can_enter_at_once(admission, waiter)) {
		let_in(admission, waiter);
		return 0;
	}
	if (queue_is_full(admission, waiter))
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
	if (waiter->counted)
		waiter->counted->waiting++;
	return 0;
}

void admission_withdraw(struct admission *admission, struct waiter *waiter)
{
	if (!waiter->waiting)
		return;
	unlink_waiter(admission, waiter);
	admission_pump(admission);
}

void admission_leave(struct admission *admission, struct waiter *waiter)
{
	if (!waiter->paused)
		count_run(admission, waiter, -1);
	waiter->paused = false;
	count_rival(waiter, -1);
	admission_pump(admission);
}

void admission_pause(struct admission *admission, struct waiter *waiter)
{
	if (waiter->paused)
		return;
	waiter->paused = true;
	count_run(admission, waiter, -1);
	admission_pump(admission);
}

void admission_return(struct admission *admission, struct waiter *waiter)
{
	if (waiter->paused)
		count_run(admission, waiter, 1);
	waiter->paused = false;
}

const uint64_t *admission_rivals(const struct waiter *waiter)
{
	return waiter->counted ? &waiter->counted->rivals : NULL;
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
