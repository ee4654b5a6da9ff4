#include "executor/sandbox/pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum {
	RETRY_MS = 200, /* after a failed spawn */
	SETTLE_NEXT_MS = 50,
	SETTLE_MS = 1000, /* without a request, then high slots are given up */
};

struct pool {
	struct pool_config config;
	struct loop_timer refill, settle;
	size_t count, ready;
	bool closed;
	bool rests;                  /* after a failed spawn */
	struct sandbox *sandboxes[]; /* ready ones first, in order of readiness */
};

static void remove_at(struct pool *pool, size_t i)
{
	if (i < pool->ready)
		pool->ready--;
	pool->count--;
	memmove(&pool->sandboxes[i], &pool->sandboxes[i + 1],
		(pool->count - i) * sizeof *pool->sandboxes);
}

static size_t find(const struct pool *pool, const struct sandbox *sandbox)
{
	size_t i = 0;

	while (i < pool->count && pool->sandboxes[i] != sandbox)
		i++;
	return i;
}

static void on_settle(struct loop_timer *timer);

static void settle_in(struct pool *pool, uint64_t ms)
{
	(void)loop_set_timer(pool->config.loop, &pool->settle, loop_now_us() + ms * 1000,
			     on_settle);
}

static void on_settle(struct loop_timer *timer)
{
	struct pool *pool = LOOP_OWNER(timer, struct pool, settle);

	/* One at a time, for as long as a lower slot is free: at rest the pool is
	 * always in the same slots, so that nothing on the machine tells how many
	 * runs there have been. */
	for (size_t i = 0; i < pool->ready; i++) {
		if ((size_t)sandbox_slot(pool->sandboxes[i]) <
		    slots_lowest_free(pool->config.slots))
			continue;
		struct sandbox *sandbox = pool->sandboxes[i];

		remove_at(pool, i);
		sandbox_kill(sandbox);
		pool_refill(pool);
		settle_in(pool, SETTLE_NEXT_MS);
		return;
	}
}

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct pool *pool = context;
	size_t i = find(pool, sandbox);

	if (i == pool->count)
		return;
	remove_at(pool, i);
	memmove(&pool->sandboxes[pool->ready + 1], &pool->sandboxes[pool->ready],
		(pool->count - pool->ready) * sizeof *pool->sandboxes);
	pool->sandboxes[pool->ready++] = sandbox;
	pool->count++;
	if (!pool->settle.place)
		settle_in(pool, SETTLE_MS);
	pool->config.available(pool->config.context);
}

static void on_refill(struct loop_timer *timer)
{
	struct pool *pool = LOOP_OWNER(timer, struct pool, refill);

	pool->rests = false;
	pool_refill(pool);
}

static void refill_in(struct pool *pool, uint64_t ms)
{
	if (!pool->closed)
		(void)loop_set_timer(pool->config.loop, &pool->refill, loop_now_us() + ms * 1000,
				     on_refill);
}

/* What fails once fails again at once, as a rule: the burial of what failed must
 * not be the reason for the next attempt. */
static void rest(struct pool *pool)
{
	pool->rests = true;
	refill_in(pool, RETRY_MS);
}

static void lose(struct pool *pool, struct sandbox *sandbox)
{
	size_t i = find(pool, sandbox);

	if (i < pool->count)
		remove_at(pool, i);
	sandbox_kill(sandbox);
	rest(pool);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	lose(context, sandbox);
}

static void on_died(void *context, struct sandbox *sandbox, int status)
{
	(void)status;
	lose(context, sandbox);
}

int pool_new(const struct pool_config *config, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof *pool + (config->size + 1) * sizeof *pool->sandboxes);

	if (!pool)
		return -ENOMEM;
	pool->config = *config;
	*ret_pool = pool;
	return 0;
}

void pool_refill(struct pool *pool)
{
	const struct sandbox_owner owner = {
		.idle = on_idle, .died = on_died, .failed = on_failed, .context = pool
	};

	while (!pool->closed && !pool->rests && pool->count < pool->config.size) {
		struct sandbox *sandbox = NULL;
		int error = sandbox_create(pool->config.sandboxes, pool->config.zygote_pool, &owner,
					   &sandbox);

		if (error) {
			/* -EAGAIN: a free slot or a warm zygote will call us */
			if (error != -EAGAIN) {
				log_error("pool: cannot make a sandbox: %s", strerror(-error));
				rest(pool);
			}
			return;
		}
		pool->sandboxes[pool->count++] = sandbox;
	}
	/* a lower slot than ours may have become free */
	if (!pool->closed && !pool->settle.place)
		settle_in(pool, SETTLE_MS);
}

struct sandbox *pool_take(struct pool *pool)
{
	if (!pool->ready)
		return NULL;
	struct sandbox *sandbox = pool->sandboxes[0];

	remove_at(pool, 0);
	refill_in(pool, 0); /* after whoever takes this one has started */
	settle_in(pool, SETTLE_MS);
	return sandbox;
}

size_t pool_ready(const struct pool *pool)
{
	return pool->ready;
}

void pool_drain(struct pool *pool, uint64_t generation)
{
	for (size_t i = 0; i < pool->ready;) {
		struct sandbox *sandbox = pool->sandboxes[i];

		if (sandbox_generation(sandbox) == generation) {
			remove_at(pool, i);
			sandbox_kill(sandbox);
		} else {
			i++;
		}
	}
	pool_refill(pool);
}

void pool_close(struct pool *pool)
{
	pool->closed = true;
	loop_clear_timer(pool->config.loop, &pool->refill);
	loop_clear_timer(pool->config.loop, &pool->settle);
	while (pool->count) {
		struct sandbox *sandbox = pool->sandboxes[0];

		remove_at(pool, 0);
		sandbox_kill(sandbox);
	}
}

void pool_free(struct pool *pool)
{
	free(pool);
}
