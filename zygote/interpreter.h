/* interpreter.h - the process that runs user code, between its jobs. */
#ifndef VIVARIUM_INTERPRETER_H
#define VIVARIUM_INTERPRETER_H

#include <sys/types.h>

#include "common/spawn.h"
#include "common/mailbox.h"

/* Be the interpreter of this sandbox: drop privilege to this uid, hand the listener over
 * init_socket, then wait for jobs for ever. Runs in a child that init
 * forked and that has been through python_after_fork_child(). Never returns. */
_Noreturn void interpreter_main(int init_socket, struct mailbox *mailbox, uid_t uid,
				const struct init_limits *limits);

#endif
