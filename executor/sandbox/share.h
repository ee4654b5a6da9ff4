/* share.h - a sandbox's workspace, as the application may use it. */
#ifndef VIVARIUM_SHARE_H
#define VIVARIUM_SHARE_H

#include <sys/types.h>

/* A descriptor of `folder` through which `application` acts as if it
 * were `owner`: what it makes belongs to the owner, what the owner made is its
 * own. By an id-mapped mount; where the kernel cannot map a tmpfs (before 6.3),
 * by an access control list that the folder hands down. It costs a process: keep
 * it, and open "." beneath it for each use. The descriptor, or -errno. */
int share_folder(int folder, uid_t owner, uid_t application, gid_t application_group);

#endif
