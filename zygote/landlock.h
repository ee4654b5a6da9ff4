/* landlock.h - the second file-system wall, where the kernel has it. */
#ifndef VIVARIUM_LANDLOCK_H
#define VIVARIUM_LANDLOCK_H

/* Landlock's version on this kernel, 0 where there is none. */
int landlock_version(void);

/* Restrict the calling process for good: read and execute what is mounted,
 * write only in the writable mounts, no TCP, no signals or abstract sockets
 * beyond its own kind. Needs no_new_privs. 0 (also without Landlock) or -errno. */
int landlock_apply(void);

#endif
