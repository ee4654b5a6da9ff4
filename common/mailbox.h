/* mailbox.h - the memory that the executor shares with one sandbox's interpreter.
 *
 * A job goes in and a report comes out through this mapping, so that the
 * program finds no descriptor of ours to forge messages on: the interpreter
 * maps it before it drops privilege and closes the descriptor. It announces
 * itself by a system call that the executor intercepts (sandbox_notification.c).
 *
 * Everything in it is HOSTILE once user code has run: the executor copies a
 * length or a byte out exactly once and checks the copy. The interpreter in
 * turn copies the job out before the program starts. */
#ifndef VIVARIUM_MAILBOX_H
#define VIVARIUM_MAILBOX_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	MAILBOX_PAYLOAD_OFFSET = 4096,
	MAILBOX_PAYLOAD_MAX = 2 << 20, /* above the largest request body */
	MAILBOX_REPORT_OFFSET = MAILBOX_PAYLOAD_OFFSET + MAILBOX_PAYLOAD_MAX,
	MAILBOX_REPORT_MAX = 2 << 20,
	MAILBOX_TEXT_OFFSET = MAILBOX_REPORT_OFFSET + MAILBOX_REPORT_MAX, /* stdout, stderr */
	MAILBOX_TEXT_BYTES = 64 << 10,  /* a power of two */
	MAILBOX_TEXT_STRIDE = 68 << 10, /* a struct mailbox_text and then nothing */
	MAILBOX_BYTES = MAILBOX_TEXT_OFFSET + 2 * MAILBOX_TEXT_STRIDE,
};

/* What a job is: executor and interpreter both know. */
enum job_kind {
	JOB_SCRIPT,    /* a one-shot: like `python3 FILE`, then finish */
	JOB_CELL,      /* a session's cell */
	JOB_VARIABLES, /* list the names of __main__ */
	JOB_COMMAND,   /* not for the interpreter: a shell command beside it */
	/* judging; the payload of all but the first is a list of fields */
	JOB_LOAD,      /* run the submission once: cases are forks of what it leaves */
	JOB_CALL,      /* in a fork: one case's call */
	JOB_EXPECT,    /* in the same fork, after it: an output that needs its names */
	JOB_PREPARE,   /* in a clean interpreter: which outputs can be evaluated there? */
	JOB_COMPARE,   /* in a clean interpreter: what was got with what was expected */
};

enum mailbox_flag {
	MAILBOX_RESTRICTED = 1, /* no further process; Python-level courtesy */
	MAILBOX_READONLY = 2,   /* nothing is written by name */
	MAILBOX_INTERACTIVE = 4, /* reading standard input asks the executor (NOTE_INPUT) */
	MAILBOX_STREAMING = 8,   /* somebody watches: what is printed shows at once */
};

enum mailbox_holder {
	TEXT_FREE,
	TEXT_FLUSHED, /* the interpreter writes some of it to the descriptor */
	TEXT_TAKEN,   /* the executor copies it out */
};

/* What the program has printed to one stream and not flushed, so that it outlives the
 * program. The interpreter appends: it writes bytes[head...], then advances `head`. Bytes
 * leave it, by a flush or by the executor, only for who has changed `holder` from TEXT_FREE
 * to its own: it advances `tail`, then lets go. So each byte leaves once, and in order: what
 * is in the pipe is older than what is here. `head` and `tail` count bytes and wrap around;
 * a byte's place is the count modulo MAILBOX_TEXT_BYTES. */
struct mailbox_text {
	_Atomic uint32_t head, tail;
	_Atomic uint32_t holder; /* enum mailbox_holder */
	/* So much is written to the descriptor right now, or will be; what was written to
	 * it without lying here. Who is killed while he writes has no time to say whether
	 * he has: the executor can tell from these and what came out of the pipe. */
	_Atomic uint32_t flushing, direct;
	uint8_t bytes[MAILBOX_TEXT_BYTES];
};

struct mailbox {
	/* the job; payload: the source */
	uint32_t kind; /* enum job_kind */
	uint32_t flags;
	uint64_t execution;  /* number of the cell in its session, from 1 */
	uint64_t open_files; /* rlimits that the interpreter puts on itself */
	uint64_t file_bytes;
	/* So much of the payload, at its front, is a cell to be run again first,
	 * silently: a session's last one that changed nothing but `_`, for which
	 * no checkpoint was made. */
	uint32_t replay_length;
	uint32_t payload_length;
	/* the answer; report: fields (common/protocol.h) */
	uint32_t report_length;
	int32_t exit_code; /* what a shell's caller of python3 would see */
};

#endif
