/* birth.h - what executor, zygote and warden say to each other while a sandbox
 * is made and while it lives. Fixed structs on SOCK_SEQPACKET pairs: one message
 * is one packet, a packet of another size is an error. None of these sockets is
 * ever open in a process that runs user code.
 *
 *   executor -> zygote   spawn_request  + the warden's socket end, the mailbox
 *   zygote -> executor   spawn_reply    + a pidfd of the warden
 *   executor -> warden   warden_request + descriptors as each op says
 *   warden -> executor   warden_event   + the listener for EVENT_LISTENER
 */
#ifndef VIVARIUM_BIRTH_H
#define VIVARIUM_BIRTH_H

#include <stdint.h>

/* Descriptors that the executor leaves open in the zygote it executes. */
enum {
	ZYGOTE_SOCKET_FD = 3,
	ZYGOTE_FDS = 4, /* all above are closed */
};

/* Ids inside every sandbox. The warden's differs from the program's, so that
 * the program can neither signal nor see it. */
enum {
	SANDBOX_WARDEN_UID = 1,
	SANDBOX_USER_UID = 1000,
};

struct spawn_request {
	uint64_t cookie; /* repeated in the reply */
};

struct spawn_reply {
	uint64_t cookie; /* 0: the zygote is warm and waits for its first request */
	int32_t pid;     /* in the executor's pid namespace; or -errno */
	uint32_t zero;
};

enum warden_op {
	/* + proc, workspace, tmp and shm mounts (detached): finish the sandbox
	 * and start its first interpreter. Once, first. */
	WARDEN_ENTER = 1,
	WARDEN_START_INTERPRETER = 2, /* a fresh one, as after reset */
	WARDEN_START_COMMAND = 3,     /* + stdin, stdout, stderr, command text (memfd) */
	WARDEN_WATCH = 4,             /* report the death of `pid` too */
};

struct warden_limits {
	uint64_t open_files;
	uint64_t file_bytes;
	uint64_t processes;
};

struct warden_request {
	uint32_t op;
	int32_t pid; /* inside the sandbox; WARDEN_WATCH */
	struct warden_limits limits;
};

enum warden_event_kind {
	EVENT_LISTENER = 1, /* + seccomp listener of a new interpreter; pid */
	EVENT_DIED = 2,     /* pid, status as wait(2) gives it */
	EVENT_STARTED = 3,  /* command: its pid */
	EVENT_FAILED = 4,   /* set-up went wrong: step, error; the warden exits */
	/* First of all: + a file system context for procfs, which knows the new
	 * pid namespace. The executor makes the mount of it, because a container's
	 * masked /proc keeps a sandbox from doing that. */
	EVENT_PROCFS = 5,
};

struct warden_event {
	uint32_t kind;
	int32_t pid; /* inside the sandbox */
	int32_t status;
	int32_t error;  /* errno */
	char step[48]; /* EVENT_FAILED: what it tried */
};

/* What the interpreter says by its intercepted system call, and what the
 * executor answers. args: note, flags. */
enum note {
	NOTE_READY = 1,  /* idle: waits for a job */
	NOTE_DONE = 2,   /* the job is over, the report is in the mailbox; waits on */
	NOTE_FROZEN = 3, /* a checkpoint: waits to be woken */
};

enum {
	NOTE_STDIO_INTACT = 1, /* flag: descriptors 0 to 2 are still the ones given */
	NOTE_NO_COPY = 2,      /* flag: nothing was forked: it could not, or must not be */
};

enum order {
	ORDER_RUN = 1,        /* a job is in the mailbox */
	ORDER_CHECKPOINT = 2, /* fork a frozen copy, then be idle */
	ORDER_WAKE = 3,       /* to a checkpoint: be the interpreter */
	ORDER_FORK = 4,       /* fork a copy that is the interpreter; both are then ready */
};

#endif
