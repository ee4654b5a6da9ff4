#define _GNU_SOURCE
#include "executor/environments/environments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"

/* Where sandboxes see one: below it, by its name. */
#define PLACE "/opt/"

enum { RETRY_MS = 30000 /* until one whose zygotes could not start is tried again */ };

struct environment {
	struct environment_config config;
	struct manifest manifest;
	char build[PATH_MAX];
	int lock; /* held shared for as long as we may use the build */
	/* what its zygotes are told */
	char root[PATH_MAX], place[ENVIRONMENT_NAME_MAX + 16];
	char python[ENVIRONMENT_NAME_MAX + 32], warm_up[ENVIRONMENT_NAME_MAX + 32];
	char *variables;
	struct root_image image; /* its own, if it adds programs */
	struct zygote_pool *zygotes;
	struct pool *pool; /* both or none */
	struct loop_timer timer;
	size_t holders;
	bool broken, gone;
};

/* -- what its zygotes tell -------------------------------------------------------------- */

static void on_spawned(void *context, uint64_t cookie, pid_t pid, int pidfd)
{
	struct environment *environment = context;

	sandboxes_spawned(environment->config.sandboxes, cookie, pid, pidfd);
}

static void on_warm(void *context)
{
	environment_refill(context);
}

static void on_retired(void *context, uint64_t generation)
{
	struct environment *environment = context;

	sandboxes_retired(environment->config.sandboxes, generation);
	if (environment->pool)
		pool_drain(environment->pool, generation);
}

static void stop(struct environment *environment);

static void on_retry(struct loop_timer *timer)
{
	LOOP_OWNER(timer, struct environment, timer)->broken = false;
}

/* Not from within the zygote pool's own callback. */
static void on_give_up(struct loop_timer *timer)
{
	struct environment *environment = LOOP_OWNER(timer, struct environment, timer);
	const struct environment_config *config = &environment->config;

	(void)loop_set_timer(config->loop, timer, loop_now_us() + RETRY_MS * 1000, on_retry);
	config->broken(config->context, environment);
	stop(environment);
}

static void on_hopeless(void *context)
{
	struct environment *environment = context;

	environment->broken = true;
	log_error("environment %s: its zygotes cannot start; the lines above say why",
		  environment->manifest.name);
	(void)loop_set_timer(environment->config.loop, &environment->timer, loop_now_us(),
			     on_give_up);
}

/* -- starting and ending ----------------------------------------------------------------- */

/* Its own image, if it adds programs to those that all have. */
static int make_image(struct environment *environment)
{
	const struct environment_config *config = &environment->config;
	char message[ROOT_IMAGE_MESSAGE_BYTES], name[ENVIRONMENT_NAME_MAX + 24];
	static unsigned long images;
	char *programs = NULL;

	if (!*environment->manifest.programs)
		return 0;
	if (asprintf(&programs, "%s %s", config->programs, environment->manifest.programs) < 0)
		return -ENOMEM;
	snprintf(name, sizeof name, "%s-%lu", environment->manifest.name, ++images);
	int error = root_image_make(&environment->image, name, programs, config->program, message);
	if (error)
		log_error("environment %s: %s", environment->manifest.name, message);
	else if (*message)
		log_warn("environment %s: these packages are not installed: %s",
			 environment->manifest.name, message);
	free(programs);
	return error;
}

static int start_zygotes(struct environment *environment)
{
	const struct environment_config *config = &environment->config;
	const char *image =
		*environment->image.path ? environment->image.path : config->image->path;

	return zygote_pool_new(
		&(struct zygote_pool_config){
			.loop = config->loop,
			.name = environment->manifest.name,
			.zygotes = config->zygotes,
			.max_forks = config->zygote_forks,
			.max_age_ms = config->zygote_age_ms,
			.program = { .preloads = environment->manifest.preload,
				     .python = environment->python,
				     .warm_up = environment->warm_up,
				     .variables = environment->variables,
				     .strict = *environment->build,
				     .verbose = config->verbose,
				     .root = { .image = image,
					       .paths = config->root_paths,
					       .environment = environment->root,
					       .environment_place = environment->place,
					       .scratch_uid = config->uid },
				     .executable = config->program,
				     .reads_door = config->reads_door,
				     .uid = config->uid },
			.cold_deaths = config->cold_deaths,
			.spawned = on_spawned,
			.warm = on_warm,
			.hopeless = on_hopeless,
			.retired = on_retired,
			.context = environment },
		&environment->zygotes);
}

int environment_start(struct environment *environment)
{
	const struct environment_config *config = &environment->config;

	if (environment->broken)
		return -ENOEXEC;
	if (environment->pool)
		return 0;
	int error = make_image(environment);
	if (!error)
		error = start_zygotes(environment);
	if (!error)
		error = pool_new(&(struct pool_config){ .loop = config->loop,
							.sandboxes = config->sandboxes,
							.zygote_pool = environment->zygotes,
							.slots = config->slots,
							.size = config->ready,
							.programs = config->one_shot_reuse,
							.available = config->available,
							.context = config->context },
				 &environment->pool);
	if (error) {
		log_error("environment %s: cannot start: %s", environment->manifest.name,
			  strerror(-error));
		stop(environment);
	} else {
		log_info("environment %s: starting %zu zygotes", environment->manifest.name,
			 config->zygotes);
	}
	return error;
}

void environment_close_pool(struct environment *environment)
{
	if (environment->pool)
		pool_close(environment->pool);
}

/* Sandboxes that have owners live on: they need no zygote any more. */
static void stop(struct environment *environment)
{
	environment_close_pool(environment);
	zygote_pool_free(environment->zygotes);
	pool_free(environment->pool);
	root_image_free(&environment->image);
	environment->zygotes = NULL;
	environment->pool = NULL;
}

static void on_idle(struct loop_timer *timer)
{
	struct environment *environment = LOOP_OWNER(timer, struct environment, timer);

	log_info("environment %s: not used for %llu ms; ending its zygotes",
		 environment->manifest.name, (unsigned long long)environment->config.idle_ms);
	stop(environment);
}

int environment_hold(struct environment *environment)
{
	int error = environment_start(environment);

	if (error)
		return error;
	environment->holders++;
	loop_clear_timer(environment->config.loop, &environment->timer);
	return 0;
}

void environment_release(struct environment *environment)
{
	const struct environment_config *config = &environment->config;

	if (--environment->holders)
		return;
	if (environment->gone)
		config->unused(config->context, environment);
	else if (config->idle_ms && !environment->broken)
		(void)loop_set_timer(config->loop, &environment->timer,
				     loop_now_us() + config->idle_ms * 1000, on_idle);
}

void environment_remove(struct environment *environment)
{
	environment->gone = true;
	if (!environment->holders)
		environment->config.unused(environment->config.context, environment);
}

/* -- making and asking ------------------------------------------------------------------- */

static struct environment *new_environment(const struct environment_config *config)
{
	struct environment *environment = calloc(1, sizeof *environment);

	if (environment) {
		environment->config = *config;
		environment->lock = -1;
	}
	return environment;
}

int environment_new_base(const struct environment_config *config, const char *preloads,
			 struct environment **ret_environment)
{
	struct environment *base = new_environment(config);

	if (!base)
		return -ENOMEM;
	base->config.idle_ms = 0;
	base->manifest = (struct manifest){ .name = strdup("base"),
					    .description = strdup("Python's standard library"),
					    .python = strdup(PYTHON_VERSION),
					    .preload = strdup(preloads),
					    .programs = strdup(""),
					    .variables = strdup(""),
					    .packages = strdup(""),
					    .modules = strdup("") };
	base->variables = strdup("");
	if (!base->variables || !base->manifest.name || !base->manifest.preload ||
	    !base->manifest.programs) {
		environment_free(base);
		return -ENOMEM;
	}
	*ret_environment = base;
	return 0;
}

static int take_lock(struct environment *environment, char error[MANIFEST_ERROR_BYTES])
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s/lock", environment->build);
	environment->lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (environment->lock >= 0 && !flock(environment->lock, LOCK_SH | LOCK_NB))
		return 0;
	snprintf(error, MANIFEST_ERROR_BYTES, "%.300s: %s", path, strerror(errno));
	return -errno;
}

/* What its zygotes are told, from the manifest. */
static int prepare(struct environment *environment)
{
	const char *name = environment->manifest.name;

	snprintf(environment->root, sizeof environment->root, "%.*s/root", PATH_MAX - 8,
		 environment->build);
	snprintf(environment->place, sizeof environment->place, PLACE "%s", name);
	snprintf(environment->python, sizeof environment->python, PLACE "%s/bin/python3", name);
	if (environment->manifest.warm_up)
		snprintf(environment->warm_up, sizeof environment->warm_up, PLACE "%s/warm-up.py",
			 name);
	if (asprintf(&environment->variables,
		     "PATH=" PLACE "%s/bin:/usr/local/bin:/usr/bin:/bin VIRTUAL_ENV=" PLACE "%s %s",
		     name, name, environment->manifest.variables) < 0) {
		environment->variables = NULL;
		return -ENOMEM;
	}
	return 0;
}

int environment_open(const struct environment_config *config, const char *build,
		     struct environment **ret_environment, char error[MANIFEST_ERROR_BYTES])
{
	struct environment *environment = new_environment(config);

	if (!environment || strlen(build) >= sizeof environment->build - 16) {
		snprintf(error, MANIFEST_ERROR_BYTES, "%.200s: no memory", build);
		free(environment);
		return -ENOMEM;
	}
	snprintf(environment->build, sizeof environment->build, "%s", build);
	int failed = take_lock(environment, error);
	if (!failed)
		failed = manifest_read(build, &environment->manifest, error);
	if (!failed)
		failed = prepare(environment);
	if (failed)
		environment_free(environment);
	else
		*ret_environment = environment;
	return failed;
}

const struct manifest *environment_manifest(const struct environment *environment)
{
	return &environment->manifest;
}

const char *environment_build(const struct environment *environment)
{
	return environment->build;
}

bool environment_is_started(const struct environment *environment)
{
	return environment->pool;
}

size_t environment_warm_zygotes(const struct environment *environment)
{
	return environment->zygotes ? zygote_pool_warm_count(environment->zygotes) : 0;
}

struct pool *environment_pool(const struct environment *environment)
{
	return environment->pool;
}

void environment_refill(struct environment *environment)
{
	if (environment->pool)
		pool_refill(environment->pool);
}

struct limits environment_limits(const struct environment *environment, const struct limits *limits)
{
	return manifest_limits(&environment->manifest, limits);
}

bool environment_is_held(const struct environment *environment)
{
	return environment->holders;
}

void environment_free(struct environment *environment)
{
	if (!environment)
		return;
	loop_clear_timer(environment->config.loop, &environment->timer);
	stop(environment);
	owned_close(&environment->lock);
	manifest_free(&environment->manifest);
	free(environment->variables);
	free(environment);
}
