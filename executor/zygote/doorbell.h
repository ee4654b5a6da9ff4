/* doorbell.h - how the interpreter waits for the executor.
 *
 * It makes one system call, which FILTER_DOORBELL turns into a notification:
 * the executor learns which process rang, may put descriptors into it, and
 * answers when there is something to do. There is no descriptor on this side
 * that a program could close, or forge messages on. */
#ifndef VIVARIUM_DOORBELL_H
#define VIVARIUM_DOORBELL_H

/* Ring with one of enum note and its flags; returns the executor's command
 * (enum order), or -errno (-ENOSYS: the executor is gone). */
long doorbell_ring(unsigned note, unsigned flags);

#endif
