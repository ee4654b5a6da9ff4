/* interpreter.h - the process that runs user code, between its jobs. */
#ifndef VIVARIUM_INTERPRETER_H
#define VIVARIUM_INTERPRETER_H

#include "birth.h"
#include "mailbox.h"

/* Be the interpreter of this sandbox: drop privilege, hand the listener over
 * warden_socket, then wait for jobs for ever. Runs in a child that the warden
 * forked and that has been through python_after_fork_child(). Never returns. */
_Noreturn void interpreter_main(int warden_socket, struct mailbox *mailbox,
				const struct warden_limits *limits);

#endif
