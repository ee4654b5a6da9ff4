/* mounts.h - the mounts that are a sandbox's own. Made on the privileged side,
 * because a container's masks keep a sandbox from making them, and handed to
 * init as detached mounts. */
#ifndef VIVARIUM_MOUNTS_H
#define VIVARIUM_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* One tmpfs holds everything that a sandbox may write, so that one limit bounds
 * the sum: its folders workspace, tmp and shm. */
struct workspace {
	int folder;     /* the workspace folder, for the file module; -1 when closed */
	int filesystem; /* the whole tmpfs, for changing its limits */
	int mounts[3];  /* workspace, tmp, shm: to be attached in the sandbox */
	int watch;      /* inotify, of what workspace_keep() has found; -1: none */
};

enum { WORKSPACE_FOLDERS = 3 };
extern const struct workspace_folder {
	const char *name;
	mode_t mode;
} workspace_folders[WORKSPACE_FOLDERS];

#define WORKSPACE_CLOSED ((struct workspace){ -1, -1, { -1, -1, -1 }, -1 })

/* Make it, owned by host uid and gid. 0, or -errno with nothing left open. */
int workspace_create(uint64_t bytes, uint64_t inodes, uid_t uid, gid_t gid,
		     struct workspace *ret_workspace);

/* Change the limits; -errno if more is in use already. */
int workspace_limit(const struct workspace *workspace, uint64_t bytes, uint64_t inodes);

/* What its files take, and what they may take yet: content in whole pages, and
 * WORKSPACE_INODE_BYTES for each file and folder. 0 or -errno. */
enum { WORKSPACE_INODE_BYTES = 1024 }; /* in Linux 6: inode and name of a tmpfs, rounded up */
int workspace_measure(const struct workspace *workspace, uint64_t *ret_used, uint64_t *ret_left);

/* 1 if a limit of the file system has been reached, else 0. */
int workspace_full(const struct workspace *workspace);

/* What tells whether anything in it has ever been made or changed since. Times alone would
 * not: before Linux 6.13 all changes of a few ms have the same one. */
struct workspace_mark {
	uint64_t inode;
	struct folder_mark {
		mode_t mode;
		uid_t uid;
		gid_t gid;
		struct timespec changed, modified;
	} folders[3];
};

/* 0 or -errno. */
int workspace_mark(const struct workspace *workspace, struct workspace_mark *ret_mark);
/* Mark it with the files that are in it now, put there by others than the program:
 * they belong to it from now on. Only while no process of the sandbox runs that
 * could add to it. 0; -E2BIG: it holds too many folders or files to look at; -errno. */
int workspace_keep(struct workspace *workspace, struct workspace_mark *ret_mark);
/* False, now and ever after, also if what was made is gone again. */
bool workspace_is_untouched(const struct workspace *workspace, struct workspace_mark *mark);

/* Give the folders, which are untouched, to another owner, and mark them again. 0 or -errno. */
int workspace_hand_over(const struct workspace *workspace, uid_t uid, gid_t gid,
			struct workspace_mark *mark);

/* Remove everything in the workspace folder, whatever the program made there.
 * Only while no process of the sandbox that could add to it lives; what the application
 * puts there meanwhile may go or stay. 0 or -errno. */
int workspace_clear(const struct workspace *workspace);

void workspace_close_mounts(struct workspace *workspace);
void workspace_close(struct workspace *workspace);

/* A detached procfs of the pid namespace in which `context` was opened (fsopen),
 * showing nothing but processes of the reader's own uid. It is read-only: a program
 * shall lower no oom score, and no name of a process holds what it likes. The
 * descriptor, or -errno. */
int proc_mount(int context);

/* A descriptor of `folder` through which `application` acts as if it
 * were `owner`: what it makes belongs to the owner, what the owner made is its
 * own. By an id-mapped mount; where the kernel cannot map a tmpfs (before 6.3),
 * by an access control list that the folder hands down. It costs a process: keep
 * it, and open "." beneath it for each use. The descriptor, or -errno. */
int share_folder(int folder, uid_t owner, uid_t application, gid_t application_group);

#endif
