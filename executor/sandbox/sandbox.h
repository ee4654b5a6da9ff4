/* sandbox.h - one sandbox: its spawn, its interpreter, its jobs, its end.
 *
 * Everything here happens in the daemon's one thread and never waits. An owner
 * is told by callbacks what its sandbox does; from within any of them it may
 * kill the sandbox. A callback is the last thing that an event leads to. A call that
 * does not fit the state is refused with -EBUSY. Call order:
 *
 *   sandbox_create() ... idle() ... sandbox_start() ... output()* display()*
 *                          ^             input() sandbox_give_input() ... done()
 *                          +--- sandbox_start() again, or _checkpoint(), ...
 *   sandbox_kill()   at any moment; no callback comes after it
 */
#ifndef VIVARIUM_SANDBOX_H
#define VIVARIUM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/mailbox.h"
#include "executor/cgroup/cgroup.h"
#include "executor/loop/loop.h"
#include "executor/run/profile.h"
#include "executor/sandbox/slots.h"
#include "executor/zygotes/zygote_pool.h"

struct sandbox;

enum sandbox_stream { SANDBOX_STDOUT, SANDBOX_STDERR };

/* done and output may be NULL, of an owner that starts no job; what the
 * program writes meanwhile is then thrown away. */
struct sandbox_owner {
	/* The interpreter waits for a job; the first time, the sandbox is made. */
	void (*idle)(void *context, struct sandbox *sandbox);
	/* The job is over, all its output has been given, the report can be read. */
	void (*done)(void *context, struct sandbox *sandbox);
	/* Bytes that the job wrote. */
	void (*output)(void *context, struct sandbox *sandbox, enum sandbox_stream stream,
		       const uint8_t *bytes, size_t length);
	/* How long a display may be now: a longer one is not copied, and display() gets its
	 * length alone, with NULL. Needed where there is display(). */
	size_t (*display_room)(void *context);
	/* The job shows something: JSON, HOSTILE, at most MAILBOX_REPORT_MAX bytes, good
	 * during the call. The job goes on afterwards. May be NULL: thrown away. */
	void (*display)(void *context, struct sandbox *sandbox, const uint8_t *text, size_t length);
	/* The job waits for input until sandbox_give_input(); the prompt likewise HOSTILE.
	 * May be NULL: it then reads end of file. */
	void (*input)(void *context, struct sandbox *sandbox, const uint8_t *prompt, size_t length,
		      bool password);
	/* The interpreter has died; status as wait(2) gives it. Or a command has
	 * ended, with all that it started; the sandbox is idle again. */
	void (*died)(void *context, struct sandbox *sandbox, int status);
	/* The process limit has refused a process that is ours: a command's first (died()
	 * follows, with SIGKILL), or a checkpoint (idle() follows). May be NULL. */
	void (*refused)(void *context, struct sandbox *sandbox);
	/* It could not be made, or its init is gone: only sandbox_kill() is left. */
	void (*failed)(void *context, struct sandbox *sandbox);
	void *context;
};

struct sandbox_job {
	uint32_t kind;  /* enum job_kind of zygote/python.h */
	uint32_t flags; /* enum mailbox_flag */
	uint64_t execution;
	const void *replay; /* a cell to run first, silently; see mailbox.h */
	size_t replay_length;
	const void *payload;
	size_t payload_length; /* with the replay at most MAILBOX_PAYLOAD_MAX */
	const void *stdin_bytes; /* copied */
	size_t stdin_length;
	uint64_t open_files, file_bytes;
};

struct sandboxes; /* what all have in common */

struct sandboxes_config {
	struct loop *loop;
	struct cgroup_tree *cgroups;
	struct slots *slots;
	struct offload *offload;      /* for spawning: nothing that takes long */
	struct offload *slow_offload; /* for what a program can make long: emptying, taking apart */
	uid_t uid_base;
	uint64_t cpu_percent;
	uint64_t idle_cpu_permille, idle_cpu_all_permille; /* see sandbox_rest() */
	uint64_t files_bytes; /* see sandbox_admit_files() */
	uint64_t undo_depth_max; /* processes that checkpoints may need on top */
	struct limits limits;    /* of a fresh sandbox, until sandbox_limit() */
	/* A sandbox has gone altogether: its slot is free again. */
	void (*gone)(void *context);
	void *context;
};

int sandboxes_new(const struct sandboxes_config *config, struct sandboxes **ret_sandboxes);
/* To be called for the zygote pools: their spawned(), and retired(), after which the
 * zygote of this generation answers no more. */
void sandboxes_spawned(struct sandboxes *sandboxes, uint64_t cookie, pid_t pid, int pidfd);
void sandboxes_retired(struct sandboxes *sandboxes, uint64_t generation);
/* How many exist, dying ones included. */
size_t sandboxes_count(const struct sandboxes *sandboxes);
void sandboxes_free(struct sandboxes *sandboxes); /* when none exists */

/* Begin to make one from these zygotes, which must live until it is idle or killed. 0;
 * -EAGAIN without a free slot or a warm zygote; -errno. */
int sandbox_create(struct sandboxes *sandboxes, struct zygote_pool *zygote_pool,
		   const struct sandbox_owner *owner, struct sandbox **ret_sandbox);

/* Hand it to another owner. */
void sandbox_set_owner(struct sandbox *sandbox, const struct sandbox_owner *owner);

/* What is it? */
int sandbox_slot(const struct sandbox *sandbox);
uint64_t sandbox_generation(const struct sandbox *sandbox);
bool sandbox_is_idle(const struct sandbox *sandbox);
/* A new directory descriptor of its workspace, for this peer to work with as
 * if it were the program; or -errno. It stays good when the sandbox is gone. */
struct ucred;
int sandbox_share_workspace(struct sandbox *sandbox, const struct ucred *peer);

/* Files that are being put into a workspace by that descriptor. */
struct incoming {
	struct sandboxes *all;   /* NULL: there are none */
	struct sandbox *sandbox; /* NULL: it is gone */
	struct incoming *next;
	uint64_t bytes, used, moves;
	bool alone;
};

/* Before they are written: they take at most `bytes` (as workspace_measure() counts) of
 * the sandbox's memory, and of what all sandboxes may have of such files. 0 with
 * *incoming, which stays where it is until sandbox_settle_files(); -EDQUOT: all have
 * what they may; -ENOSPC: the sandbox's memory has no room; -errno. */
int sandbox_admit_files(struct sandbox *sandbox, uint64_t bytes, struct incoming *incoming);
/* All that will be written is. Also after a refusal, and more than once. */
void sandbox_settle_files(struct incoming *incoming);
/* Such bytes, also those on their way. */
uint64_t sandbox_file_bytes(const struct sandbox *sandbox);
uint64_t sandboxes_file_bytes(const struct sandboxes *sandboxes);

/* Change what it may use. Only while idle. 0 or -errno. */
int sandbox_limit(struct sandbox *sandbox, const struct limits *limits);

/* Give the idle interpreter a job. 0; -ENOENT: it has just died, died() follows; or -errno. */
int sandbox_start(struct sandbox *sandbox, const struct sandbox_job *job);

/* Hand over by output() all that the job has printed so far, flushed or not: before its
 * program is killed. May call any callback that output() may. */
void sandbox_take_output(struct sandbox *sandbox);

/* Answer input(): at most MAILBOX_PAYLOAD_MAX bytes, copied; with `eof` nothing
 * comes after them. 0, -EBUSY if the job waits for none, or -errno. */
int sandbox_give_input(struct sandbox *sandbox, const void *bytes, size_t length, bool eof);

/* Run a shell command, the job's payload, beside the idle interpreter. 0 or
 * -errno. */
int sandbox_start_command(struct sandbox *sandbox, const struct sandbox_job *job);

/* Stop reading what the job or command writes, or go on: it waits when its pipes
 * are full. At its end all is read in any case; the next one begins read. */
void sandbox_hold_output(struct sandbox *sandbox, bool hold);

/* Kill the command and all that it started; died() follows. 0 or -errno. */
int sandbox_kill_command(struct sandbox *sandbox);

/* What is in it now was there before the next job: sandbox_tidy() spares it. 0 or -errno. */
int sandbox_note_others(struct sandbox *sandbox);
/* Kill the processes that have come since then; idle() follows, or died(). 0; -ENOENT: there
 * are none; or -errno. */
int sandbox_tidy(struct sandbox *sandbox);
/* What came of it. Threads end only with the interpreter. */
enum tidied { TIDIED_NOTHING, TIDIED_PROCESSES, TIDIED_NOT_THREADS };
enum tidied sandbox_tidied(const struct sandbox *sandbox);

/* Let a fork of the idle interpreter do the following jobs, until
 * sandbox_join() kills it with all that it started: then the interpreter is again
 * as it was before. idle() follows each of the two; or died() where the program
 * has made that impossible, and then only sandbox_kill() is left. 0 or -errno. */
int sandbox_fork(struct sandbox *sandbox);
bool sandbox_is_forked(const struct sandbox *sandbox); /* else it could, or should, not be */
/* Does this fork's process id tell that an earlier one has made processes? */
bool sandbox_fork_is_marked(const struct sandbox *sandbox);
int sandbox_join(struct sandbox *sandbox);

/* What has been put into the workspace of this idle sandbox belongs to it: it is no
 * trace of the program. Where it is too much to watch nothing changes. */
void sandbox_keep_workspace(struct sandbox *sandbox);

/* Is the program one process with one thread that has changed no file? Only then
 * is a fork of it all that there is, and nothing but a fork. False where the
 * kernel cannot say (no cgroups). */
bool sandbox_is_alone(struct sandbox *sandbox);

/* After done(): what the interpreter reported, HOSTILE, copied once. The caller
 * frees *ret_report. 0 or -errno. */
int sandbox_read_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length,
			int32_t *ret_exit_code);

/* Send the interpreter a signal. 0 or -errno. */
int sandbox_signal(struct sandbox *sandbox, int signal);

/* The figures that change all the time: cheap; `ret_peak_bytes` may be NULL. 0 or -errno. */
int sandbox_read_meters(const struct sandbox *sandbox, uint64_t *ret_cpu_us,
			uint64_t *ret_peak_bytes);

/* How much of the CPU it gets where several want it; see cgroup_weigh(). 0 or -errno. */
int sandbox_weigh(struct sandbox *sandbox, uint64_t weight);

/* A job is over: nothing is asked of it for now, or something is again. Threads and children that the
 * program has left go on: after a moment they are held to idle_cpu_permille of a CPU,
 * all such sandboxes together to idle_cpu_all_permille, and nothing they write is read. */
void sandbox_rest(struct sandbox *sandbox, bool rests);

/* Let the peak begin again, where the kernel can do that. */
void sandbox_reset_peak(struct sandbox *sandbox);

/* How many kills and refusals sandbox_read_usage() has seen last. */
struct cgroup_usage sandbox_seen_usage(const struct sandbox *sandbox);

int sandbox_read_usage(struct sandbox *sandbox, struct cgroup_usage *ret_usage);

/* Let the idle interpreter make a checkpoint; idle() follows. At most `keep`
 * are kept, the oldest goes. 0 or -errno. */
int sandbox_checkpoint(struct sandbox *sandbox, size_t keep);

/* Was the last one asked for made? */
bool sandbox_checkpointed(const struct sandbox *sandbox);

/* How many checkpoints are alive, counted from the newest to the first that is
 * not. */
size_t sandbox_checkpoints(struct sandbox *sandbox);

/* Kill them all. */
void sandbox_drop_checkpoints(struct sandbox *sandbox);

/* Kill the interpreter and all that the program started, drop the `drop` newest
 * checkpoints, and let the newest of the rest go on as the interpreter. If that
 * one is dead (or there is none) all go, and a fresh interpreter starts: never
 * an older state than asked for. idle() follows; *ret_fresh says which it is. */
int sandbox_restore(struct sandbox *sandbox, size_t drop, bool *ret_fresh);

/* Let the next sandbox_restore() empty the workspace, once the program is dead. */
void sandbox_clear_workspace(struct sandbox *sandbox);

/* Kill the idle interpreter and make the sandbox as new for another program, which gets
 * a uid that none before had; at most `programs` (to SANDBOX_USERS_MAX) in all. 0 and
 * idle() follows, or died() where what this one left is more than a new program may
 * find: then only sandbox_kill() is left. -errno at once if that shows already, and
 * then too. */
int sandbox_renew(struct sandbox *sandbox, unsigned programs);

/* Has a program run in it? */
bool sandbox_is_used(const struct sandbox *sandbox);

/* Kill everything in it at once; it is gone for the owner. What is left (reaping,
 * directories) goes on by itself. */
void sandbox_kill(struct sandbox *sandbox);

#endif
