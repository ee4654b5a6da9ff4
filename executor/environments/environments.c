#define _GNU_SOURCE
#include "executor/environments/environments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"

enum { ENVIRONMENTS_MAX = 64 };

struct environments {
	struct environments_config config;
	struct root_image image;
	struct environment *base;
	struct environment *list[ENVIRONMENTS_MAX]; /* that can be asked for, besides base */
	size_t count;
	struct environment *gone[ENVIRONMENTS_MAX]; /* that have holders yet, or are due */
	size_t gone_count;
	struct loop_source watch;
	struct loop_timer free_later;
};

/* -- removing ----------------------------------------------------------------------------- */

static void free_gone(struct loop_timer *timer)
{
	struct environments *all = LOOP_OWNER(timer, struct environments, free_later);

	for (size_t i = 0; i < all->gone_count;) {
		struct environment *environment = all->gone[i];

		if (environment_is_held(environment)) {
			i++;
			continue;
		}
		all->gone[i] = all->gone[--all->gone_count];
		environment_free(environment);
	}
}

static void on_unused(void *context, struct environment *environment)
{
	struct environments *all = context;

	(void)environment;
	(void)loop_set_timer(all->config.loop, &all->free_later, loop_now_us(), free_gone);
}

static void on_broken(void *context, struct environment *environment)
{
	struct environments *all = context;

	all->config.broken(all->config.context, environment);
}

static void on_available(void *context)
{
	struct environments *all = context;

	all->config.available(all->config.context);
}

/* It stays where it is if too many are going already. */
static bool remove_at(struct environments *all, size_t i)
{
	struct environment *environment = all->list[i];

	if (all->gone_count == ENVIRONMENTS_MAX)
		return false;
	all->gone[all->gone_count++] = environment;
	all->list[i] = all->list[--all->count];
	environment_remove(environment);
	return true;
}

/* -- reading the folder ------------------------------------------------------------------- */

static struct environment_config config_of_each(struct environments *all)
{
	const struct options *options = all->config.options;

	return (struct environment_config){
		.loop = all->config.loop,
		.sandboxes = all->config.sandboxes,
		.slots = all->config.slots,
		.image = &all->image,
		.programs = options->programs,
		.root_paths = options->root_paths,
		.program = all->config.program,
		.reads_door = all->config.reads_door,
		.uid = (uid_t)options->uid_base,
		.zygotes = options->environment_zygotes,
		.ready = options->environment_pool,
		.one_shot_reuse = (unsigned)options->one_shot_reuse,
		.zygote_forks = options->zygote_forks,
		.zygote_age_ms = options->zygote_age_ms,
		.cold_deaths = 3,
		.idle_ms = options->environment_idle_ms,
		.available = on_available,
		.broken = on_broken,
		.unused = on_unused,
		.context = all,
	};
}

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; *at; at += strspn(at, " ,")) {
		size_t here = strcspn(at, " ,");

		if (here == length && !memcmp(at, word, length))
			return true;
		at += here;
	}
	return false;
}

static bool starts_at_once(const struct environments *all, const char *name)
{
	const char *words = all->config.options->environments_at_start;

	return has_word(words, name) || has_word(words, "all");
}

/* The folder that the link `name` names: one of ours, inside. */
static bool read_link(int folder, const char *name, const char *path, char build[PATH_MAX])
{
	char target[NAME_MAX + 16];
	ssize_t length = readlinkat(folder, name, target, sizeof target - 1);

	if (length <= 0 || !environment_name_valid(name, strlen(name)) || !strcmp(name, "base"))
		return false;
	target[length] = '\0';
	if (strncmp(target, ".builds/", 8) || strchr(target + 8, '/') || target[8] == '.')
		return false;
	return snprintf(build, PATH_MAX, "%s/%s", path, target) < PATH_MAX;
}

static size_t place_of(const struct environments *all, const char *name, size_t length)
{
	for (size_t i = 0; i < all->count; i++) {
		const char *known = environment_manifest(all->list[i])->name;

		if (strlen(known) == length && !memcmp(known, name, length))
			return i;
	}
	return all->count;
}

static void add(struct environments *all, const char *name, const char *build, bool start)
{
	struct environment_config config = config_of_each(all);
	struct environment *environment;
	char error[MANIFEST_ERROR_BYTES];

	if (starts_at_once(all, name))
		config.idle_ms = 0;
	if (all->count == ENVIRONMENTS_MAX) {
		log_error("environment %s: there are %d already", name, ENVIRONMENTS_MAX);
		return;
	}
	if (environment_open(&config, build, &environment, error)) {
		log_error("environment %s: %s", name, error);
		return;
	}
	if (strcmp(environment_manifest(environment)->name, name)) {
		log_error("environment %s: it was built as %s", name,
			  environment_manifest(environment)->name);
		environment_free(environment);
		return;
	}
	all->list[all->count++] = environment;
	log_info("environment %s is there: %s", name, build);
	if (start || starts_at_once(all, name))
		(void)environment_start(environment);
}

/* A link that is new, or leads elsewhere than before. Who used the old version gets the
 * new one started. */
static void look_at(struct environments *all, const char *name, const char *build)
{
	size_t i = place_of(all, name, strlen(name));
	bool was_started = false;

	if (i < all->count) {
		if (!strcmp(environment_build(all->list[i]), build))
			return;
		was_started = environment_is_started(all->list[i]);
		if (!remove_at(all, i))
			return;
	}
	add(all, name, build, was_started);
}

static void forget_missing(struct environments *all, int folder, const char *path)
{
	for (size_t i = 0; i < all->count;) {
		const char *name = environment_manifest(all->list[i])->name;
		char build[PATH_MAX];

		if (read_link(folder, name, path, build) && !access(build, F_OK)) {
			i++;
			continue;
		}
		log_info("environment %s is removed", name);
		if (!remove_at(all, i))
			i++;
	}
}

static void read_folder(struct environments *all)
{
	const char *path = all->config.options->environments;
	DIR *entries = opendir(path);
	struct dirent *entry;

	if (!entries)
		return;
	forget_missing(all, dirfd(entries), path);
	while ((entry = readdir(entries))) {
		char build[PATH_MAX];

		if (read_link(dirfd(entries), entry->d_name, path, build))
			look_at(all, entry->d_name, build);
	}
	closedir(entries);
}

static void on_change(struct loop_source *source, uint32_t events)
{
	struct environments *all = LOOP_OWNER(source, struct environments, watch);
	char ignored[4096];

	(void)events;
	while (read(source->fd, ignored, sizeof ignored) > 0)
		;
	read_folder(all);
}

static int watch_folder(struct environments *all)
{
	const char *path = all->config.options->environments;
	AUTO_FD fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (mkdir(path, 0755) && errno != EEXIST)
		log_debug("environments: cannot make %s: %s", path, strerror(errno));
	if (inotify_add_watch(fd, path,
			      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR) <
	    0) {
		log_info("environments: there is no folder %s; base is the only one", path);
		return 0;
	}
	int error = loop_add(all->config.loop, &all->watch, fd, EPOLLIN, on_change);
	if (!error)
		(void)take_fd(&fd); /* the source's */
	return error;
}

/* -- making and asking --------------------------------------------------------------------- */

/* Without dpkg, or with no packages, root_paths alone says what there is. */
static int make_image(struct environments *all)
{
	const char *programs = all->config.options->programs;
	char message[ROOT_IMAGE_MESSAGE_BYTES];

	if (!*programs)
		return 0;
	int error = root_images_open();
	if (error) {
		log_error("programs: cannot mount a tmpfs: %s", strerror(-error));
		return error;
	}
	error = root_image_make(&all->image, "base", programs, all->config.program, message);
	if (error)
		log_error("programs: %s", message);
	else if (*message)
		log_warn("programs: these packages are not installed, so sandboxes lack them: %s",
			 message);
	return error;
}

int environments_new(const struct environments_config *config,
		     struct environments **ret_environments)
{
	struct environments *all = calloc(1, sizeof *all);

	if (!all)
		return -ENOMEM;
	all->config = *config;
	all->watch.fd = -1;
	*ret_environments = all;
	int error = make_image(all);
	if (error)
		return error;
	struct environment_config base = config_of_each(all);
	base.zygotes = config->options->zygotes;
	base.ready = config->options->pool;
	return environment_new_base(&base, config->options->preloads, &all->base);
}

int environments_open(struct environments *environments)
{
	int error = environment_start(environments->base);

	if (!error)
		error = watch_folder(environments);
	if (!error)
		read_folder(environments);
	return error;
}

int environments_try(struct environments *environments, const char *build,
		     struct environment **ret_environment)
{
	struct environment_config config = config_of_each(environments);
	char error[MANIFEST_ERROR_BYTES];

	config.zygotes = config.ready = config.cold_deaths = 1;
	config.verbose = true;
	int failed = environment_open(&config, build, ret_environment, error);
	if (failed) {
		log_error("%s", error);
		return failed;
	}
	environments->list[environments->count++] = *ret_environment;
	return environment_start(*ret_environment);
}

struct environment *environments_base(const struct environments *environments)
{
	return environments->base;
}

struct environment *environments_at(const struct environments *environments, size_t index)
{
	if (!index)
		return environments->base;
	return index <= environments->count ? environments->list[index - 1] : NULL;
}

struct environment *environments_find(const struct environments *environments, const char *name,
				      size_t length)
{
	if (length == 4 && !memcmp(name, "base", 4))
		return environments->base;
	size_t i = place_of(environments, name, length);
	return i < environments->count ? environments->list[i] : NULL;
}

void environments_refill(struct environments *environments)
{
	if (environments->base)
		environment_refill(environments->base);
	for (size_t i = 0; i < environments->count; i++)
		environment_refill(environments->list[i]);
	for (size_t i = 0; i < environments->gone_count; i++)
		environment_refill(environments->gone[i]);
}

void environments_close(struct environments *environments)
{
	if (environments->base)
		environment_close_pool(environments->base);
	for (size_t i = 0; i < environments->count; i++)
		environment_close_pool(environments->list[i]);
	for (size_t i = 0; i < environments->gone_count; i++)
		environment_close_pool(environments->gone[i]);
}

void environments_free(struct environments *environments)
{
	if (!environments)
		return;
	loop_remove(environments->config.loop, &environments->watch);
	owned_close(&environments->watch.fd);
	loop_clear_timer(environments->config.loop, &environments->free_later);
	while (environments->count)
		environment_free(environments->list[--environments->count]);
	while (environments->gone_count)
		environment_free(environments->gone[--environments->gone_count]);
	environment_free(environments->base);
	root_image_free(&environments->image);
	close(environments->config.program);
	free(environments);
}
