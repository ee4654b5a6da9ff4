/* template_root.h - the file system that every sandbox starts from.
 *
 * A zygote lives in it, and the mount namespaces of its sandboxes are copies: a
 * sandbox has no old root to detach, and what it inherits is locked, so that not
 * even its own privileges could undo it. */
#ifndef VIVARIUM_TEMPLATE_ROOT_H
#define VIVARIUM_TEMPLATE_ROOT_H

#include <stdbool.h>

enum { ROOT_STEP_BYTES = 160 };

/* With CAP_SYS_ADMIN: does a system call filter forbid pivot_root? root_enter()
 * then needs CAP_SYS_CHROOT as well. */
bool root_pivot_refused(void);

/* In a forked child: take a mount namespace of one's own, build the template (a
 * read-only tmpfs with the host folders named in `paths`, separated by spaces,
 * bound read-only; a minimal /dev; a made-up /etc; empty /proc, /workspace,
 * /tmp) and pivot into it. 0; or -errno with the step in step[]. Needs
 * CAP_SYS_ADMIN. */
int root_enter(const char *paths, char step[ROOT_STEP_BYTES]);

#endif
