/* init.h - pid 1 of a sandbox. Runs no user code. */
#ifndef VIVARIUM_INIT_H
#define VIVARIUM_INIT_H

/* Wait for the executor's word, finish the sandbox's set-up, start and reap its
 * processes until the executor goes away. Never returns: when it exits, the
 * kernel kills all that is left in the pid namespace. */
_Noreturn void init_main(int socket_fd, int mailbox_fd);

#endif
