/* zygote_pool.h - the zygotes: started, warmed, used in turn, replaced.
 *
 * Several, because all forks of one zygote share its hash seed and its address
 * layout: consecutive sandboxes come from different ones. Each is replaced
 * after a number of forks, and at once if it dies. */
#ifndef VIVARIUM_ZYGOTE_POOL_H
#define VIVARIUM_ZYGOTE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "executor/loop/loop.h"
#include "executor/zygotes/zygote_process.h"

struct zygote_pool;

struct zygote_pool_config {
	struct loop *loop;
	const char *name; /* of the environment, for the log; the caller's */
	size_t zygotes;
	uint64_t max_forks;  /* of one zygote, then it is replaced */
	uint64_t max_age_ms;
	struct zygote_program program;

	/* an init has been spawned, or not: pid < 0 is -errno and pidfd -1. The
	 * pidfd is the callee's. */
	void (*spawned)(void *context, uint64_t cookie, pid_t pid, int pidfd);
	/* A zygote has become warm: waiting sandboxes can be spawned. */
	void (*warm)(void *context);
	uint64_t cold_deaths; /* so many, before any has become warm, are hopeless */
	/* None has ever become warm, and they keep dying: the log says why. Not to be
	 * answered by zygote_pool_free() at once. */
	void (*hopeless)(void *context);
	/* The zygote of this generation is no longer used, and answers no more. */
	void (*retired)(void *context, uint64_t generation);
	void *context;
};

/* Start all zygotes. 0 or -errno. */
int zygote_pool_new(const struct zygote_pool_config *config, struct zygote_pool **ret_zygote_pool);

/* Ask the next warm zygote for an init; spawned() will be called with `cookie`, or
 * retired() with *ret_generation, which no zygote of any pool has twice. The descriptors
 * are only borrowed. 0, -EAGAIN if none is warm (warm() will be called), or -errno. */
int zygote_pool_spawn(struct zygote_pool *zygote_pool, uint64_t cookie, int init_socket,
		      int mailbox_fd, uint64_t *ret_generation);

size_t zygote_pool_warm_count(const struct zygote_pool *zygote_pool);

/* End all zygotes. */
void zygote_pool_free(struct zygote_pool *zygote_pool);

#endif
