#define _GNU_SOURCE
/* The daemon's group and its children.
 *
 * Making and removing a group on each hierarchy was a sixth of what a sandbox costs, so a
 * child that is given up waits for the next one of its name, which is a slot's: the
 * directory, the descriptors and the limits are there. One that cannot be made as good as
 * new (cgroup_renew()) is removed. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/cgroup/cgroup_files.h"
#include "executor/cgroup/cgroup_version.h"

/* More than can be between two uses at once: those that are spawned and torn down. Each
 * takes six descriptors and some 30 kB of the kernel's memory. */
enum { IDLE_MAX = 64 };

struct cgroup_tree {
	const struct cgroup_version *version; /* NULL: none */
	struct cgroup_dirs base;              /* somebody else's: only made beneath */
	struct cgroup_dirs own;
	struct cgroup_io io;
	char name[64];
	pthread_mutex_t lock; /* of what follows */
	struct cgroup *idle;
	size_t idle_count;
};

/* -- the daemon's own ------------------------------------------------------------- */

static int open_version(struct cgroup_tree *tree, const struct cgroup_version *version,
			const char *parent, char message[CGROUP_MESSAGE_BYTES])
{
	int error = version->open_base(parent, &tree->base, message);

	for (size_t i = 0; !error && i < version->dirs; i++)
		error = cgroup_purge(tree->base.fd[i], tree->name);
	if (!error)
		error = cgroup_make_dirs(version, &tree->base, tree->name, &tree->own);
	if (!error)
		error = version->delegate(&tree->own);
	if (error) {
		cgroup_close_dirs(&tree->base);
		cgroup_close_dirs(&tree->own);
		return error;
	}
	tree->version = version;
	return 0;
}

static struct cgroup_tree *new_tree(const char *name)
{
	struct cgroup_tree *tree = calloc(1, sizeof *tree);

	if (tree) {
		tree->base = CGROUP_NO_DIRS;
		tree->own = CGROUP_NO_DIRS;
		tree->io = CGROUP_NO_IO;
		snprintf(tree->name, sizeof tree->name, "%s", name);
		pthread_mutex_init(&tree->lock, NULL);
	}
	return tree;
}

static void free_tree(struct cgroup_tree *tree)
{
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

/* Whose message helps: that of the version that the host has controllers in. */
static bool v1_is_mounted(void)
{
	char path[PATH_MAX];

	return cgroup_find_mount("cgroup", "memory", path, sizeof path) != -ENOENT ||
	       cgroup_find_mount("cgroup", "pids", path, sizeof path) != -ENOENT;
}

int cgroup_tree_open(const char *parent, const char *name, struct cgroup_tree **ret_tree,
		     char message[CGROUP_MESSAGE_BYTES])
{
	char second[CGROUP_MESSAGE_BYTES] = "";
	struct cgroup_tree *tree = new_tree(name);

	snprintf(message, CGROUP_MESSAGE_BYTES, "cannot make the group %.60s", name);
	if (!tree)
		return -ENOMEM;
	/* v2 first: where both exist, the one with the controllers works */
	int error = open_version(tree, &cgroup_v2, parent, message);
	if (error && open_version(tree, &cgroup_v1, parent, second)) {
		if (v1_is_mounted())
			snprintf(message, CGROUP_MESSAGE_BYTES, "%.250s", second);
		free_tree(tree);
		return error;
	}
	*ret_tree = tree;
	return 0;
}

int cgroup_tree_none(struct cgroup_tree **ret_tree)
{
	*ret_tree = new_tree("");
	return *ret_tree ? 0 : -ENOMEM;
}

int cgroup_tree_limit(struct cgroup_tree *tree, const struct cgroup_limits *limits)
{
	return tree->version ? tree->version->limit(&tree->own, limits) : 0;
}

const char *cgroup_tree_version(const struct cgroup_tree *tree)
{
	return tree->version ? tree->version->name : "none";
}

bool cgroup_tree_waits(const struct cgroup_tree *tree)
{
	char path[PATH_MAX];

	return tree->version == &cgroup_v2 &&
	       cgroup_find_mount("cgroup2", "favordynmods", path, sizeof path) == -ENOENT;
}

int cgroup_tree_limit_reads(struct cgroup_tree *tree, const char *parent,
			    const struct cgroup_reads *most)
{
	const struct cgroup_io_place place = { .v1 = tree->version == &cgroup_v1,
					       .parent = parent,
					       .name = tree->name,
					       .base_fd = tree->base.fd[0],
					       .own_fd = tree->own.fd[0] };

	return tree->version ? cgroup_io_open(&tree->io, &place, most) : -ENOENT;
}

size_t cgroup_tree_limited_disks(const struct cgroup_tree *tree)
{
	return tree->io.disks;
}

int cgroup_tree_reads_door(const struct cgroup_tree *tree)
{
	return tree->io.door;
}

/* -- its children ------------------------------------------------------------------ */

static struct cgroup *take_idle(struct cgroup_tree *tree, const char *name)
{
	struct cgroup **link = &tree->idle, *cgroup;

	pthread_mutex_lock(&tree->lock);
	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	cgroup = *link;
	if (cgroup) {
		*link = cgroup->next;
		tree->idle_count--;
	}
	pthread_mutex_unlock(&tree->lock);
	return cgroup;
}

static bool keep_idle(struct cgroup_tree *tree, struct cgroup *cgroup)
{
	pthread_mutex_lock(&tree->lock);
	bool room = tree->idle_count < IDLE_MAX;

	if (room) {
		cgroup->next = tree->idle;
		tree->idle = cgroup;
		tree->idle_count++;
	}
	pthread_mutex_unlock(&tree->lock);
	return room;
}

int cgroup_create(struct cgroup_tree *tree, const char *name, const struct cgroup_limits *limits,
		  struct cgroup **ret_cgroup)
{
	struct cgroup *used = take_idle(tree, name);

	if (used && !cgroup_renew(used, limits)) {
		*ret_cgroup = used;
		return 0;
	}
	int error = used ? cgroup_remove(used, &tree->own) : 0;
	if (error) {
		(void)keep_idle(tree, used); /* for the next attempt */
		return error;
	}
	error = cgroup_make(tree->version, &tree->own, name, limits, ret_cgroup);
	if (!error)
		(*ret_cgroup)->tree = tree;
	return error;
}

int cgroup_destroy(struct cgroup *cgroup)
{
	struct cgroup_tree *tree = cgroup->tree;

	if (cgroup_count_tasks(cgroup) > 0)
		return -EBUSY;
	if (cgroup_is_renewable(cgroup) && keep_idle(tree, cgroup))
		return 0;
	return cgroup_remove(cgroup, &tree->own);
}

void cgroup_tree_trim(struct cgroup_tree *tree)
{
	bool more = true;

	while (more) {
		/* until it is gone nobody may make one of its name */
		pthread_mutex_lock(&tree->lock);
		struct cgroup *cgroup = tree->idle;

		more = cgroup != NULL;
		if (more) {
			tree->idle = cgroup->next;
			tree->idle_count--;
			(void)cgroup_remove(cgroup, &tree->own); /* nobody is in it */
		}
		pthread_mutex_unlock(&tree->lock);
	}
}

void cgroup_tree_close(struct cgroup_tree *tree)
{
	if (!tree)
		return;
	cgroup_tree_trim(tree);
	if (tree->version)
		(void)cgroup_remove_dirs(tree->version, &tree->base, tree->name);
	cgroup_io_close(&tree->io, tree->name);
	cgroup_close_dirs(&tree->own);
	cgroup_close_dirs(&tree->base);
	free_tree(tree);
}
