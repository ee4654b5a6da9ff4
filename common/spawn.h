/* spawn.h - what executor, zygote and init say to each other while a sandbox
 * is made and while it lives. Fixed structs on SOCK_SEQPACKET pairs: one message
 * is one packet, a packet of another size is an error. None of these sockets is
 * ever open in a process that runs user code.
 *
 *   executor -> zygote   spawn_request  + init's socket end, the mailbox
 *   zygote -> executor   spawn_reply    + a pidfd of init
 *   executor -> init   init_request + descriptors as each op says
 *   init -> executor   init_event   + the listener for EVENT_LISTENER
 */
#ifndef VIVARIUM_SPAWN_H
#define VIVARIUM_SPAWN_H

#include <stdint.h>

/* Descriptors that the executor leaves open in the zygote it executes. */
enum {
	ZYGOTE_SOCKET_FD = 3,
	ZYGOTE_FDS = 4, /* all above are closed */
};

/* Ids inside every sandbox. init's differs from the program's, so that
 * the program can neither signal nor see it. */
enum {
	SANDBOX_INIT_UID = 1,
	SANDBOX_USER_UID = 1000, /* of the first program; each one after it has the next */
	SANDBOX_USERS_MAX = 12,  /* a slot has SLOT_UIDS, and init needs one */
};

struct spawn_request {
	uint64_t cookie; /* repeated in the reply */
};

struct spawn_reply {
	uint64_t cookie; /* 0: the zygote is warm and waits for its first request */
	int32_t pid;     /* in the executor's pid namespace; or -errno */
	uint32_t zero;
};

enum init_op {
	/* + the doors of its cgroup (cgroup.h): move into it. Once, before all others; not
	 * without cgroups. */
	INIT_JOIN = 5,
	/* + proc, workspace, tmp and shm mounts (detached): finish the sandbox
	 * and start its first interpreter. Once. */
	INIT_ENTER = 1,
	INIT_START_INTERPRETER = 2, /* a fresh one, as after reset */
	INIT_START_COMMAND = 3,     /* + stdin, stdout, stderr, command text (memfd) */
	INIT_WATCH = 4,             /* report the death of `pid` too */
	/* A fresh interpreter for another program, under another uid. init makes sure that it
	 * has no child, dead or alive, and fails otherwise. */
	INIT_RENEW_INTERPRETER = 6,
};

struct init_limits {
	uint64_t open_files;
	uint64_t file_bytes;
	uint64_t processes;
};

struct init_request {
	uint32_t op;
	int32_t pid; /* inside the sandbox; INIT_WATCH */
	uint32_t uid; /* inside the sandbox, of the interpreter or command to be started */
	uint32_t zero;
	struct init_limits limits;
};

enum init_event_kind {
	EVENT_LISTENER = 1, /* + seccomp listener of a new interpreter; pid */
	EVENT_DIED = 2,     /* pid, status as wait(2) gives it */
	EVENT_STARTED = 3,  /* command: its pid */
	EVENT_FAILED = 4,   /* set-up went wrong: step, error; init exits */
	/* First of all: + a file system context for procfs, which knows the new
	 * pid namespace. The executor makes the mount of it, because a container's
	 * masked /proc keeps a sandbox from doing that. */
	EVENT_PROCFS = 5,
};

struct init_event {
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
	/* While a job runs; the mailbox's report area has report_length bytes for it.
	 * Standard output and error have been flushed before, to keep the order. */
	NOTE_DISPLAY = 4, /* JSON text: {"data": {mime: text or base64}, "metadata": {}} */
	NOTE_INPUT = 5,   /* the program waits for standard input; UTF-8: the prompt */
};

enum {
	NOTE_STDIO_INTACT = 1, /* flag: descriptors 0 to 2 are still the ones given */
	NOTE_NO_COPY = 2,      /* flag: nothing was forked: it could not, or must not be */
	NOTE_REFUSED = 8,      /* flag beside NOTE_NO_COPY: the process limit refused it */
	NOTE_PASSWORD = 4,     /* flag of NOTE_INPUT: what is typed is not to be shown */
};

enum order {
	ORDER_RUN = 1,        /* a job is in the mailbox */
	ORDER_CHECKPOINT = 2, /* fork a frozen copy, then be idle */
	ORDER_WAKE = 3,       /* to a checkpoint: be the interpreter */
	ORDER_FORK = 4,       /* fork a copy that is the interpreter; both are then ready */
	ORDER_GO_ON = 5,      /* after NOTE_DISPLAY: the text has been taken */
	/* After NOTE_INPUT: payload_length bytes of input are in the payload area. */
	ORDER_INPUT = 6,
	ORDER_EOF = 256, /* flag of ORDER_INPUT: nothing comes after these bytes */
};

/* Who dies first when memory is short: a sandbox's own, or the machine's. */
enum {
	OOM_SCORE_DAEMON = -500,     /* where we may: programs end, the service goes on */
	OOM_SCORE_PROGRAM = 500,
	OOM_SCORE_CHECKPOINT = 1000, /* the very first: the program keeps its limit */
};

#endif
