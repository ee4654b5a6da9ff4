/* manifest.h - what scripts/vivarium-env says of an environment that it has built.
 *
 * A build is a folder:
 *   environment.conf   the manifest: name = value
 *   packages           its distributions, a line each: name==version
 *   modules            what can be imported, a line each: the top-level names
 *   lock               whoever uses the build holds a shared flock on it
 *   root/              what sandboxes see, at /opt/NAME */
#ifndef VIVARIUM_MANIFEST_H
#define VIVARIUM_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "executor/run/profile.h"

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

#endif
