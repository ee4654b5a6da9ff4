/* init.h - the processes of a sandbox: init, pid 1, which runs no user code, and the interpreter,
 * which does. */
#ifndef VIVARIUM_INIT_H
#define VIVARIUM_INIT_H

#include <sys/types.h>

#include "common/mailbox.h"
#include "common/spawn.h"

/* Wait for the executor's word, finish the sandbox's set-up, start and reap its
 * processes until the executor goes away. Never returns: when it exits, the
 * kernel kills all that is left in the pid namespace. */
_Noreturn void init_main(int socket_fd, int mailbox_fd);

/* Be the interpreter of this sandbox: drop privilege to this uid, hand the listener over
 * init_socket, then wait for jobs for ever. Runs in a child that init
 * forked and that has been through python_after_fork_child(). Never returns. */
_Noreturn void interpreter_main(int init_socket, struct mailbox *mailbox, uid_t uid,
				const struct init_limits *limits);

#endif
