/* notify.h - the executor's side of the seccomp notification (zygote/notification.h). */
#ifndef VIVARIUM_NOTIFY_H
#define VIVARIUM_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notification {
	uint64_t id;   /* to answer it */
	pid_t pid;     /* the thread that sent it, in the daemon's pid namespace */
	uint64_t note; /* enum note; HOSTILE: any process of the sandbox can send one */
	uint64_t flags;
	bool adds_filter; /* it is not the interpreter's call, but asks for a seccomp filter */
	uint64_t serial; /* the same again: the call was interrupted and has begun anew */
};

/* Take the next one. 1, 0 if there is none (any more), or -errno. */
int notify_receive(int listener, struct notification *ret_notification);

/* Is its sender still waiting in it? */
int notify_valid(int listener, uint64_t id);

/* Put a copy of `fd` into its sender, as descriptor `number` there. 0 or -errno. */
int notify_give_fd(int listener, uint64_t id, int fd, int number);

/* Let the call return `value`. 0, or -errno (-ENOENT: the sender is dead, or has been
 * interrupted and will send another). */
int notify_answer(int listener, uint64_t id, int64_t value);

/* Let the call be made after all; or refuse it with EPERM. 0 or -errno. */
int notify_let(int listener, uint64_t id);
int notify_refuse(int listener, uint64_t id);

#endif
