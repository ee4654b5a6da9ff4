/* seccomp notification.h - how the interpreter waits for the executor.
 *
 * It makes one system call, which FILTER_NOTIFY turns into a notification:
 * the executor learns which process made it, may put descriptors into it, and
 * answers when there is something to do. There is no descriptor on this side
 * that a program could close, or forge messages on. */
#ifndef VIVARIUM_NOTIFICATION_H
#define VIVARIUM_NOTIFICATION_H

#include <stdbool.h>

/* Send one of enum note and its flags; returns the executor's command
 * (enum order), or -errno (-ENOSYS: the executor is gone). */
long notification_send(unsigned note, unsigned flags);

/* The same, but -EINTR when a signal handler has run meanwhile: what the handler
 * set off comes first. Then `again` goes on with the same wait. */
long notification_ask(unsigned note, unsigned flags, bool again);

#endif
