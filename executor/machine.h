/* machine.h - this machine and this process: what it gives, what we keep of root, and that
 * nobody else does our work. All at the start, but machine_print(). */
#ifndef VIVARIUM_MACHINE_H
#define VIVARIUM_MACHINE_H

#include <stdio.h>

#include "executor/options.h"

enum { MACHINE_MESSAGE_BYTES = 256 };

/* As many descriptors as we may have. 0; or -EMFILE where they are not enough for what
 * the settings allow, with what to do about it in message[]. */
int machine_raise_descriptors(const struct options *options, char message[MACHINE_MESSAGE_BYTES]);

/* Put numbers where the settings leave them to the machine's size: what all sandboxes
 * together may use, how many runs there may be, and a client's part. Call first. */
void machine_settle(struct options *options);

/* Where memory runs out the programs should end, not this daemon. Needs
 * CAP_SYS_RESOURCE; without it all stays as it is. */
void machine_protect_daemon(void);

/* ---- what the daemon keeps of root ---- */

enum { CAPS_MESSAGE_BYTES = 256 };

/* Drop every capability but the few that are needed, from all sets and the
 * bounding set; set no_new_privs. 0; or -EPERM with the one that is missing, or
 * could not be dropped, in message[]. */
int caps_keep_needed(char message[CAPS_MESSAGE_BYTES]);

/* The needed ones as text, for doctor and docs. */
const char *caps_needed_text(void);

/* ---- at most one executor for a socket, its cgroup and its uids ---- */

enum { INSTANCE_MESSAGE_BYTES = 320 };

/* Take the lock beside `socket`, for good: it goes with the process, however that ends.
 * `role` is "" for who serves and tells the locks of others apart. 0; -EBUSY with the
 * holder's process id in message[]; or -errno, with the file. */
int instance_lock(const char *socket, const char *role, char message[INSTANCE_MESSAGE_BYTES]);

/* ---- for the doctor ---- */

/* What the kernel and its settings mean for sandboxes, a line each, with advice. */
void machine_print(FILE *out);

#endif
