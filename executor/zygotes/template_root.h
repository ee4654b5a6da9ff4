/* template_root.h - the file system that every sandbox starts from.
 *
 * A zygote lives in it, and the mount namespaces of its sandboxes are copies: a
 * sandbox has no old root to detach, and what it inherits is locked, so that not
 * even its own privileges could undo it. */
#ifndef VIVARIUM_TEMPLATE_ROOT_H
#define VIVARIUM_TEMPLATE_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

enum { ROOT_STEP_BYTES = 160 };

/* With CAP_SYS_ADMIN: does a system call filter forbid pivot_root? root_enter()
 * then needs CAP_SYS_CHROOT as well. */
bool root_pivot_refused(void);

/* What a template is made of. Paths are the daemon's; NULL or "" for none. */
struct root_plan {
	const char *image;       /* a folder whose folders are the sandbox's, from root_image.h */
	const char *paths;       /* further host folders, at the same place, between spaces */
	const char *environment; /* a package environment's folder ... */
	const char *environment_place; /* ... and where sandboxes see it */
	uid_t scratch_uid;       /* whose the /tmp is that lasts until sandboxes have theirs */
};

/* In a forked child: take a mount namespace of one's own, build the template (a
 * read-only tmpfs with what the plan names bound read-only; a minimal /dev; a
 * made-up /etc; empty /proc and /workspace; a small /tmp for what imports
 * write, which every sandbox covers with its own) and pivot into it. 0; or -errno
 * with the step in step[]. Needs CAP_SYS_ADMIN. */
int root_enter(const struct root_plan *plan, char step[ROOT_STEP_BYTES]);

#endif
