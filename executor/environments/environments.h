/* environments.h - all package environments: base, and those that are built in a folder.
 *
 * scripts/vivarium-env builds there and swaps links. We watch the folder, so that it
 * need not know whether an executor runs, as which process, or in which container: a new
 * link is a new environment, a changed one a new version, a missing one is removed. */
#ifndef VIVARIUM_ENVIRONMENTS_H
#define VIVARIUM_ENVIRONMENTS_H

#include "common/bytes.h"
#include "executor/environments/environment.h"
#include "executor/options.h"

struct environments;

struct environments_config {
	struct loop *loop;
	const struct options *options;
	struct sandboxes *sandboxes;
	const struct slots *slots;
	int program; /* the zygote's executable; environments_free() closes it */
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

#endif
