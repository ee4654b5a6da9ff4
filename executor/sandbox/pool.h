/* pool.h - sandboxes that are completely set up and wait for code.
 *
 * Refilled off the request's path. The oldest is taken first: spawns go round
 * the zygotes, so that consecutive runs differ in hash seed and layout. */
#ifndef VIVARIUM_POOL_H
#define VIVARIUM_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "executor/sandbox/sandbox.h"

struct pool;

struct pool_config {
	struct loop *loop;
	struct sandboxes *sandboxes;
	struct zygote_pool *zygote_pool; /* which its sandboxes are forked from */
	const struct slots *slots;
	size_t size;
	void (*available)(void *context); /* one more can be taken */
	void *context;
};

int pool_new(const struct pool_config *config, struct pool **ret_pool);

/* Make what is missing. Call when a slot or a zygote has become free. */
void pool_refill(struct pool *pool);

/* An idle sandbox, which the caller must give an owner or kill; NULL if there is
 * none now: available() will be called. */
struct sandbox *pool_take(struct pool *pool);

/* How many can be taken now. */
size_t pool_ready(const struct pool *pool);

/* Replace what a retired zygote spawned. */
void pool_drain(struct pool *pool, uint64_t generation);

/* Kill all and stop refilling. */
void pool_close(struct pool *pool);
void pool_free(struct pool *pool);

#endif
