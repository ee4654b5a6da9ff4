/* machine.h - what this machine gives: asked once, at the start. */
#ifndef VIVARIUM_MACHINE_H
#define VIVARIUM_MACHINE_H

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

#endif
