/* environments.h - package environments: base, and those that are built in a folder.
 *
 * scripts/vivarium-env builds there and swaps links. We watch the folder, so that it
 * need not know whether an executor runs, as which process, or in which container: a new
 * link is a new environment, a changed one a new version, a missing one is removed. */
#ifndef VIVARIUM_ENVIRONMENTS_H
#define VIVARIUM_ENVIRONMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "executor/loop/loop.h"
#include "executor/options.h"
#include "executor/run/profile.h"
#include "executor/sandbox/pool.h"
#include "executor/zygotes/root_image.h"
#include "executor/zygotes/zygote_pool.h"

/* ---- a manifest: what scripts/vivarium-env says of an environment that it has built --
 *
 * A build is a folder:
 *   environment.conf   the manifest: name = value
 *   packages           its distributions, a line each: name==version
 *   modules            what can be imported, a line each: the top-level names
 *   lock               whoever uses the build holds a shared flock on it
 *   root/              what sandboxes see, at /opt/NAME */

enum { ENVIRONMENT_NAME_MAX = 32, MANIFEST_ERROR_BYTES = 384 };

struct manifest {
	char *name;
	char *description;
	char *python;    /* the version that it was built for: 3.11 */
	char *preload;   /* modules, between spaces */
	char *programs;  /* Debian packages, between spaces */
	char *variables; /* NAME=VALUE, between spaces */
	bool warm_up;    /* there is root/warm-up.py */
	struct limits limits; /* 0: the profile's */
	char *packages, *modules; /* the files of these names */
};

/* A small letter, then small letters, digits, dashes and underscores. */
bool environment_name_valid(const char *name, size_t length);

/* Read and check the manifest in `build`. 0; or -errno with the reason in error[]. The
 * caller calls manifest_free() either way. Not from two threads. */
int manifest_read(const char *build, struct manifest *ret_manifest,
		  char error[MANIFEST_ERROR_BYTES]);

/* Does one of the environment's modules have this name? */
bool manifest_has_module(const struct manifest *manifest, const char *name, size_t length);

/* A profile's limits, with those that the manifest names. */
struct limits manifest_limits(const struct manifest *manifest, const struct limits *limits);

void manifest_free(struct manifest *manifest);

/* ---- one environment while the executor runs: its zygotes, its ready sandboxes --------
 *
 * It is started when somebody holds it for the first time, and ended when nobody has
 * held it for long. One that was removed or rebuilt lives on, by the name of `gone`, until
 * its last holder lets go: a session keeps the packages that it began with. */

struct environment;

struct environment_config {
	struct loop *loop;
	struct sandboxes *sandboxes;
	const struct slots *slots;
	const struct root_image *image; /* of those that add no programs */
	const char *programs;           /* that every environment has */
	const char *root_paths;
	int program;                    /* the zygote's executable */
	int reads_door;                 /* see cgroup_tree_reads_door() */
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

/* ---- all of them ------------------------------------------------------------------- */

struct environments;

struct environments_config {
	struct loop *loop;
	const struct options *options;
	struct sandboxes *sandboxes;
	const struct slots *slots;
	int program; /* the zygote's executable; environments_free() closes it */
	int reads_door; /* see cgroup_tree_reads_door() */
	void (*available)(void *context); /* a sandbox has become ready */
	/* No sandbox of this pool will become ready; of base's: there is no service. */
	void (*broken)(void *context, struct environment *environment);
	void *context;
};

/* Make the programs' image and `base`; start nothing. 0; or -errno, which has been logged. */
int environments_new(const struct environments_config *config,
		     struct environments **ret_environments);

/* Start base, read the folder, start what the setting names, and watch. 0 or -errno. */
int environments_open(struct environments *environments);

/* Instead: only the one that is built in this folder, to see whether it works. */
int environments_try(struct environments *environments, const char *build,
		     struct environment **ret_environment);

/* The one of this number: base has 0; NULL behind the last. */
struct environment *environments_at(const struct environments *environments, size_t index);

struct environment *environments_base(const struct environments *environments);

/* By name; NULL if there is none. */
struct environment *environments_find(const struct environments *environments, const char *name,
				      size_t length);

/* A slot has become free. */
void environments_refill(struct environments *environments);

/* "base, data", cut to fit; of those alone that have this module, if one is named. */
void environments_names(const struct environments *environments, const char *module,
			size_t module_length, char *ret_text, size_t size);

/* Sandboxes that can be taken now, and zygotes that can be forked, of all. */
size_t environments_ready(const struct environments *environments);
size_t environments_warm_zygotes(const struct environments *environments);

/* One FIELD_ENVIRONMENT_INFO each. 0 or -errno. */
int environments_put(const struct environments *environments, struct buffer *list);

/* End all sandboxes that nobody has. */
void environments_close(struct environments *environments);
void environments_free(struct environments *environments);

/* ---- in calls (environment_calls.c) ------------------------------------------------- */

struct call;
struct outcome;

/* The one that the call names, or the profile's default. Refuses the call, with the
 * names that there are, and returns false if there is none. */
bool req_environment(struct call *call, const struct environments *environments,
		     const struct profile *profile, struct environment **ret_environment);

/* The same, held: environment_release() it. */
bool req_held_environment(struct call *call, const struct environments *environments,
			  const struct profile *profile, struct environment **ret_environment);

enum { IMPORT_NOTE_BYTES = 512 };

/* Where an import failed that would work elsewhere: the outcome's note then says in
 * which environments, if it says nothing else. `text` must outlive the note. */
void import_note(const struct environments *environments, struct outcome *outcome,
		 char text[IMPORT_NOTE_BYTES]);

#endif
