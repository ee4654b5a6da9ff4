/* files_tree.h - what is in a directory and below, and copies of it.
 *
 * The tree may change while it is read: what was there for a moment may be
 * missing from the list or not be there any more. Only the bounds are kept. */
#ifndef VIVARIUM_FILES_TREE_H
#define VIVARIUM_FILES_TREE_H

#include "fcgi-app/files/files.h"

struct files_node {
	char *path; /* from the root; any bytes */
	uint32_t mode;
	uint64_t size; /* of a regular file */
	uint64_t inode, links;
	struct timespec modified;
};

struct files_tree {
	struct files_node *nodes; /* in the order of their paths: a directory before its content */
	size_t count;
	bool cut; /* there was more than allowed */
};

struct files_tree_limits {
	bool recursive;
	size_t most_nodes;
	size_t most_path_bytes; /* of all paths together */
};

/* Read a directory; `below` NULL: the root. 0 with *ret_tree (freed with
 * files_tree_free()), -ENOTDIR and the common errors. */
int files_tree_read(int root_fd, const struct files_path *below,
		    const struct files_tree_limits *limits, struct files_tree *ret_tree);
void files_tree_free(struct files_tree *tree);

/* Copy all of one root into another, which is empty and nobody else's: names,
 * modes, times, hard links, holes, and symbolic links that stay inside. 0 or
 * -errno, -E2BIG for more than `limits` allow; a half-made copy is left. */
int files_tree_copy(int from_fd, int to_fd, const struct files_tree_limits *limits);

#endif
