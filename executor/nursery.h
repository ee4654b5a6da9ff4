/* nursery.h - the zygotes: started, warmed, used in turn, replaced.
 *
 * Several, because all forks of one zygote share its hash seed and its address
 * layout: consecutive sandboxes come from different ones. Each is replaced
 * after a number of forks, and at once if it dies. */
#ifndef VIVARIUM_NURSERY_H
#define VIVARIUM_NURSERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

struct nursery;

struct nursery_config {
	struct loop *loop;
	size_t zygotes;
	uint64_t max_forks;  /* of one zygote, then it is replaced */
	uint64_t max_age_ms;
	const char *preloads;
	const char *root_paths;
	int program;         /* the zygote's executable, open; the nursery's to close */
	uid_t uid;           /* the zygotes' own */

	/* A warden has been born, or not: pid < 0 is -errno and pidfd -1. The
	 * pidfd is the callee's. `generation` is that of its zygote. */
	void (*born)(void *context, uint64_t cookie, pid_t pid, int pidfd, uint64_t generation);
	/* A zygote has become warm: waiting sandboxes can be born. */
	void (*warm)(void *context);
	/* None has ever become warm, and they keep dying: the log says why. */
	void (*hopeless)(void *context);
	/* The zygote of this generation is no longer used. */
	void (*retired)(void *context, uint64_t generation);
	void *context;
};

/* Start all zygotes. 0 or -errno. */
int nursery_new(const struct nursery_config *config, struct nursery **ret_nursery);

/* Ask the next warm zygote for a warden; born() will be called with `cookie`.
 * The descriptors are only borrowed. 0, -EAGAIN if none is warm (warm() will
 * be called), or -errno. */
int nursery_spawn(struct nursery *nursery, uint64_t cookie, int warden_socket, int mailbox_fd);

size_t nursery_warm_count(const struct nursery *nursery);

/* End all zygotes. */
void nursery_free(struct nursery *nursery);

#endif
