#include "executor/sandbox/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum {
	RETRY_MS = 200, /* after a failed spawn */
	SETTLE_NEXT_MS = 50,
	SETTLE_MS = 1000, /* without a request, then used sandboxes and high slots are given up */
	/* So long a loan is expected back: several times what a short program takes on a
	 * busy machine, and little to wait for whoever comes when all are lent to long ones. */
	LOAN_MS = 30,
	/* One in so many is kept for those that need a new one, while loans come back. */
	RESERVED_PART = 4,
};

enum place {
	NEW,     /* ready, no program has run in it */
	USED,    /* ready, renewed */
	MADE,    /* is being spawned */
	RENEWED, /* is being renewed */
	LENT,
	PLACES,
};

struct entry {
	struct sandbox *sandbox;
	enum place place;
	uint64_t due_us; /* LENT: not counted any more */
};

struct pool {
	struct pool_config config;
	struct loop_timer refill, settle, loans;
	size_t count, capacity, in[PLACES];
	bool closed;
	bool rests;             /* after a failed spawn */
	struct entry entries[]; /* in order of their last change of place */
};

static void put(struct pool *pool, struct sandbox *sandbox, enum place place)
{
	pool->entries[pool->count++] = (struct entry){ .sandbox = sandbox, .place = place };
	pool->in[place]++;
}

static void remove_at(struct pool *pool, size_t i)
{
	pool->in[pool->entries[i].place]--;
	pool->count--;
	memmove(&pool->entries[i], &pool->entries[i + 1],
		(pool->count - i) * sizeof *pool->entries);
}

static size_t find(const struct pool *pool, const struct sandbox *sandbox)
{
	size_t i = 0;

	while (i < pool->count && pool->entries[i].sandbox != sandbox)
		i++;
	return i;
}

/* The first one there; the count if there is none. */
static size_t find_in(const struct pool *pool, enum place place)
{
	size_t i = 0;

	while (i < pool->count && pool->entries[i].place != place)
		i++;
	return i;
}

static void end_at(struct pool *pool, size_t i)
{
	struct sandbox *sandbox = pool->entries[i].sandbox;

	remove_at(pool, i);
	sandbox_kill(sandbox);
}

static bool lends(const struct pool *pool)
{
	return pool->config.programs > 1;
}

/* -- at rest ------------------------------------------------------------------------- */

static void on_settle(struct loop_timer *timer);

static void settle_in(struct pool *pool, uint64_t ms)
{
	(void)loop_set_timer(pool->config.loop, &pool->settle, loop_now_us() + ms * 1000,
			     on_settle);
}

/* Nothing on the machine is to tell how many runs there have been: at rest no sandbox
 * is used, and the pool is always in the same slots. */
static bool is_to_be_given_up(const struct pool *pool, const struct entry *entry)
{
	return entry->place == USED ||
	       (entry->place == NEW &&
		(size_t)sandbox_slot(entry->sandbox) >= slots_lowest_free(pool->config.slots));
}

/* One at a time, for as long as there is one. */
static void on_settle(struct loop_timer *timer)
{
	struct pool *pool = LOOP_OWNER(timer, struct pool, settle);

	for (size_t i = 0; i < pool->count; i++) {
		if (!is_to_be_given_up(pool, &pool->entries[i]))
			continue;
		end_at(pool, i);
		pool_refill(pool);
		settle_in(pool, SETTLE_NEXT_MS);
		return;
	}
}

/* -- what its sandboxes tell ----------------------------------------------------------- */

static void on_idle(void *context, struct sandbox *sandbox)
{
	struct pool *pool = context;
	size_t i = find(pool, sandbox);

	if (i == pool->count)
		return;
	remove_at(pool, i);
	put(pool, sandbox, sandbox_is_used(sandbox) ? USED : NEW);
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

/* What fails once fails again at once, as a rule: the teardown of what failed must
 * not be the reason for the next attempt. */
static void rest(struct pool *pool)
{
	pool->rests = true;
	refill_in(pool, RETRY_MS);
}

static void lose(struct pool *pool, struct sandbox *sandbox, bool ours)
{
	size_t i = find(pool, sandbox);

	if (i < pool->count)
		remove_at(pool, i);
	sandbox_kill(sandbox);
	if (ours)
		rest(pool);
	else
		refill_in(pool, 0);
}

static void on_failed(void *context, struct sandbox *sandbox)
{
	lose(context, sandbox, true);
}

/* Of one that was to be renewed: its program has left something. */
static void on_died(void *context, struct sandbox *sandbox, int status)
{
	struct pool *pool = context;
	size_t i = find(pool, sandbox);

	(void)status;
	lose(pool, sandbox, i == pool->count || pool->entries[i].place != RENEWED);
}

/* -- loans ----------------------------------------------------------------------------- */

static void watch_loans(struct pool *pool);

static void on_loans(struct loop_timer *timer)
{
	struct pool *pool = LOOP_OWNER(timer, struct pool, loans);
	uint64_t now_us = loop_now_us();
	size_t i;

	while ((i = find_in(pool, LENT)) < pool->count && pool->entries[i].due_us <= now_us)
		remove_at(pool, i);
	watch_loans(pool);
	pool_refill(pool);
	pool->config.available(pool->config.context);
}

static void watch_loans(struct pool *pool)
{
	size_t i = find_in(pool, LENT);

	if (i < pool->count && !pool->loans.place)
		(void)loop_set_timer(pool->config.loop, &pool->loans, pool->entries[i].due_us,
				     on_loans);
}

static void lend(struct pool *pool, struct sandbox *sandbox)
{
	if (pool->in[LENT] >= pool->config.size)
		return;
	put(pool, sandbox, LENT);
	pool->entries[pool->count - 1].due_us = loop_now_us() + LOAN_MS * 1000;
	watch_loans(pool);
}

void pool_give_back(struct pool *pool, struct sandbox *sandbox, bool good)
{
	const struct sandbox_owner owner = {
		.idle = on_idle, .died = on_died, .failed = on_failed, .context = pool
	};
	size_t i = find(pool, sandbox);

	if (i < pool->count)
		remove_at(pool, i);
	if (good && lends(pool) && !pool->closed && pool->count < pool->capacity) {
		sandbox_set_owner(sandbox, &owner);
		if (!sandbox_renew(sandbox, pool->config.programs)) {
			put(pool, sandbox, RENEWED);
			return;
		}
	}
	sandbox_kill(sandbox);
	refill_in(pool, 0);
}

/* -- making and taking --------------------------------------------------------------------- */

/* Room for all that are here, as many loans, and what comes back late. */
int pool_new(const struct pool_config *config, struct pool **ret_pool)
{
	size_t capacity = 3 * config->size;
	struct pool *pool = calloc(1, sizeof *pool + capacity * sizeof *pool->entries);

	if (!pool)
		return -ENOMEM;
	pool->config = *config;
	pool->capacity = capacity;
	*ret_pool = pool;
	return 0;
}

static size_t reserved(const struct pool *pool)
{
	return lends(pool) ? pool->config.size / RESERVED_PART : 0;
}

static bool wants_more(const struct pool *pool)
{
	size_t fresh = pool->in[NEW] + pool->in[MADE];

	return pool->count < pool->config.size ||
	       (fresh < reserved(pool) && pool->count < pool->capacity);
}

void pool_refill(struct pool *pool)
{
	const struct sandbox_owner owner = {
		.idle = on_idle, .died = on_died, .failed = on_failed, .context = pool
	};

	while (!pool->closed && !pool->rests && wants_more(pool)) {
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
		put(pool, sandbox, MADE);
	}
	/* a lower slot than ours may have become free */
	if (!pool->closed && !pool->settle.place)
		settle_in(pool, SETTLE_MS);
}

/* The one that has been ready for longest; the count if there is none. */
static size_t find_ready(const struct pool *pool, bool loan)
{
	bool others = pool->in[USED] + pool->in[LENT] + pool->in[RENEWED] > 0;
	size_t keep = loan && others ? reserved(pool) : 0;
	size_t new = pool->in[NEW] > keep ? find_in(pool, NEW) : pool->count;
	size_t used = loan ? find_in(pool, USED) : pool->count;

	return new < used ? new : used;
}

bool pool_has(const struct pool *pool, bool loan)
{
	return find_ready(pool, loan) < pool->count;
}

struct sandbox *pool_take(struct pool *pool, bool loan)
{
	size_t i = find_ready(pool, loan);

	if (i == pool->count)
		return NULL;
	struct sandbox *sandbox = pool->entries[i].sandbox;
	remove_at(pool, i);
	if (loan && lends(pool))
		lend(pool, sandbox);
	refill_in(pool, 0); /* after whoever takes this one has started */
	settle_in(pool, SETTLE_MS);
	return sandbox;
}

size_t pool_ready(const struct pool *pool)
{
	return pool->in[NEW] + pool->in[USED];
}

void pool_drain(struct pool *pool, uint64_t generation)
{
	for (size_t i = 0; i < pool->count;) {
		const struct entry *entry = &pool->entries[i];

		if (entry->place <= USED && sandbox_generation(entry->sandbox) == generation)
			end_at(pool, i);
		else
			i++;
	}
	pool_refill(pool);
}

void pool_close(struct pool *pool)
{
	pool->closed = true;
	loop_clear_timer(pool->config.loop, &pool->refill);
	loop_clear_timer(pool->config.loop, &pool->settle);
	loop_clear_timer(pool->config.loop, &pool->loans);
	while (pool->count) {
		if (pool->entries[0].place == LENT)
			remove_at(pool, 0);
		else
			end_at(pool, 0);
	}
}

void pool_free(struct pool *pool)
{
	free(pool);
}
