/* pool.h - sandboxes that are completely set up and wait for code.
 *
 * Refilled off the request's path. Whoever has been ready for longest is taken first: spawns
 * go round the zygotes, so that consecutive runs differ in hash seed and layout.
 *
 * Who needs it for one program only gets it as a loan, and gives it back: the pool has it
 * renewed, for the next such loan. Everybody else gets a sandbox that is new. So that
 * short programs do not have one made that they will not need, a loan counts as one that
 * is here, for a moment. */
#ifndef VIVARIUM_POOL_H
#define VIVARIUM_POOL_H

#include <stdbool.h>
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
	unsigned programs;               /* that one sandbox serves; 1: loans are not renewed */
	void (*available)(void *context); /* one more can be taken */
	void *context;
};

int pool_new(const struct pool_config *config, struct pool **ret_pool);

/* Make what is missing. Call when a slot or a zygote has become free. */
void pool_refill(struct pool *pool);

/* An idle sandbox, which the caller must give an owner or kill; NULL if there is
 * none now: available() will be called. A loan goes back by pool_give_back(). */
struct sandbox *pool_take(struct pool *pool, bool loan);

/* Could pool_take() give one? */
bool pool_has(const struct pool *pool, bool loan);

/* A loan is over; the sandbox is the pool's, or gone. Renewed only if it is idle and
 * `good`: its program met no limit and did not crash. */
void pool_give_back(struct pool *pool, struct sandbox *sandbox, bool good);

/* How many are ready now, in all. */
size_t pool_ready(const struct pool *pool);

/* Replace what a retired zygote spawned. */
void pool_drain(struct pool *pool, uint64_t generation);

/* Kill all that is not lent and stop refilling. */
void pool_close(struct pool *pool);
void pool_free(struct pool *pool);

#endif
