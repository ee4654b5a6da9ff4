/* instance.h - at most one executor for a socket, its cgroup and its uids. */
#ifndef VIVARIUM_INSTANCE_H
#define VIVARIUM_INSTANCE_H

enum { INSTANCE_MESSAGE_BYTES = 320 };

/* Take the lock beside `socket`, for good: it goes with the process, however that ends.
 * `role` is "" for who serves and tells the locks of others apart. 0; -EBUSY with the
 * holder's process id in message[]; or -errno, with the file. */
int instance_lock(const char *socket, const char *role, char message[INSTANCE_MESSAGE_BYTES]);

#endif
