/* environment.h - one package environment while the executor runs: its zygotes, its ready
 * sandboxes.
 *
 * It is started when somebody holds it for the first time, and ended when nobody has
 * held it for long. One that was removed or rebuilt lives on, by the name of `gone`, until
 * its last holder lets go: a session keeps the packages that it began with. */
#ifndef VIVARIUM_ENVIRONMENT_H
#define VIVARIUM_ENVIRONMENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/environments/manifest.h"
#include "executor/loop/loop.h"
#include "executor/sandbox/pool.h"
#include "executor/zygotes/root_image.h"
#include "executor/zygotes/zygote_pool.h"

struct environment;

struct environment_config {
	struct loop *loop;
	struct sandboxes *sandboxes;
	const struct slots *slots;
	const struct root_image *image; /* of those that add no programs */
	const char *programs;           /* that every environment has */
	const char *root_paths;
	int program;                    /* the zygote's executable */
	uid_t uid;                      /* the zygotes' own */
	size_t zygotes, ready;          /* of each */
	unsigned one_shot_reuse;        /* see pool.h */
	uint64_t zygote_forks, zygote_age_ms;
	uint64_t cold_deaths;
	uint64_t idle_ms;               /* ended after so long without a holder; 0: never */
	bool verbose;                   /* say what is imported */
	void (*available)(void *context);
	/* Its zygotes cannot start: the log says why. Nobody gets a sandbox of it. */
	void (*broken)(void *context, struct environment *environment);
	/* It is gone and nobody holds it: environment_free() is due, not at once. */
	void (*unused)(void *context, struct environment *environment);
	void *context;
};

/* The environment `base` with these preloads, or the one that is built in the folder
 * `build`. 0; or -errno with the reason in error[]. The config is copied, its texts are not. */
int environment_new_base(const struct environment_config *config, const char *preloads,
			 struct environment **ret_environment);
int environment_open(const struct environment_config *config, const char *build,
		     struct environment **ret_environment, char error[MANIFEST_ERROR_BYTES]);

const struct manifest *environment_manifest(const struct environment *environment);
const char *environment_build(const struct environment *environment); /* "" for base */
bool environment_is_started(const struct environment *environment);
size_t environment_warm_zygotes(const struct environment *environment);

/* Start it, if it is not. 0; or -errno, which has been logged. */
int environment_start(struct environment *environment);

/* Use it: started, and not ended until environment_release(). 0; or -errno. */
int environment_hold(struct environment *environment);
void environment_release(struct environment *environment);

/* Where its sandboxes are; while it is held. */
struct pool *environment_pool(const struct environment *environment);

/* Make missing sandboxes: a slot has become free. */
void environment_refill(struct environment *environment);

/* A profile's limits, with those that the environment has of its own. */
struct limits environment_limits(const struct environment *environment,
				 const struct limits *limits);

/* No new holders come. */
void environment_remove(struct environment *environment);
bool environment_is_held(const struct environment *environment);

/* End its sandboxes that nobody has; end its zygotes, too. */
void environment_close_pool(struct environment *environment);
void environment_free(struct environment *environment);

#endif
