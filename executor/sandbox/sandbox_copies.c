#define _GNU_SOURCE
/* Checkpoints: frozen copies of the interpreter; and going back: the program is killed
 * with all that it started, then the newest copy wakes or a fresh interpreter starts. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "executor/sandbox/sandbox_parts.h"

/* A copy, and the process in between that hands it to init. */
enum { ROOM_FOR_A_COPY = 2 };

static void drop_oldest(struct sandbox *sandbox)
{
	struct target *oldest = &sandbox->checkpoints[0];

	target_kill(oldest);
	target_forget(oldest);
	memmove(oldest, oldest + 1, --sandbox->checkpoint_count * sizeof *oldest);
}

static void drop_newest(struct sandbox *sandbox)
{
	struct target *newest = &sandbox->checkpoints[--sandbox->checkpoint_count];

	target_kill(newest);
	target_forget(newest);
}

void sandbox_drop_checkpoints(struct sandbox *sandbox)
{
	while (sandbox->checkpoint_count)
		drop_newest(sandbox);
}

bool sandbox_checkpointed(const struct sandbox *sandbox)
{
	return sandbox->checkpointed;
}

/* One that was killed, for memory or by the program, is none any more. */
static bool is_alive(const struct sandbox *sandbox, size_t i)
{
	return target_is_alive(&sandbox->checkpoints[i]);
}

size_t sandbox_checkpoints(struct sandbox *sandbox)
{
	size_t alive = 0;

	while (alive < sandbox->checkpoint_count &&
	       is_alive(sandbox, sandbox->checkpoint_count - 1 - alive))
		alive++;
	return alive;
}

int checkpoint_make(struct sandbox *sandbox, const struct happening *what)
{
	size_t keep = what->count < CHECKPOINTS_MAX ? what->count : CHECKPOINTS_MAX;

	while (sandbox->checkpoint_count && sandbox->checkpoint_count >= keep)
		drop_oldest(sandbox);
	sandbox->checkpointed = false;
	int error = sandbox_make_room(sandbox, ROOM_FOR_A_COPY);
	return error ? error : target_answer(sandbox, &sandbox->interpreter, ORDER_CHECKPOINT);
}

int checkpoint_keep(struct sandbox *sandbox, const struct happening *what)
{
	struct target *copy = &sandbox->checkpoints[sandbox->checkpoint_count];

	if (sandbox->checkpoint_count == CHECKPOINTS_MAX || target_adopt(sandbox, what->note, copy))
		return OTHERWISE;
	target_score(copy, OOM_SCORE_CHECKPOINT);
	sandbox->checkpoint_count++;
	sandbox->checkpointed = true;
	return 0;
}

int checkpoint_keep_and_idle(struct sandbox *sandbox, const struct happening *what)
{
	int error = checkpoint_keep(sandbox, what);

	return error ? error : program_is_idle(sandbox, what);
}

/* -- going back ------------------------------------------------------------------------ */

int restore_begin(struct sandbox *sandbox, const struct happening *what)
{
	int error = sweep_begin(sandbox);

	if (error)
		return error;
	for (size_t drop = what->count; drop && sandbox->checkpoint_count; drop--)
		drop_newest(sandbox);
	if (sandbox->checkpoint_count && !is_alive(sandbox, sandbox->checkpoint_count - 1))
		sandbox_drop_checkpoints(sandbox);
	*what->ret_fresh = sandbox->checkpoint_count == 0;
	sandbox->interpreter_inside = 0;
	target_kill(&sandbox->interpreter);
	target_forget(&sandbox->interpreter);
	sandbox_close_stdio(sandbox);
	return 0;
}

static void clear(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);

	sandbox->step = "empty its workspace";
	sandbox->error = workspace_clear(&sandbox->workspace);
}

static int wake_newest(struct sandbox *sandbox)
{
	sandbox->interpreter = sandbox->checkpoints[--sandbox->checkpoint_count];
	int error = sandbox_watch_interpreter(sandbox);
	if (error)
		return error;
	target_score(&sandbox->interpreter, OOM_SCORE_PROGRAM);
	/* the program may have stopped it: they share a uid */
	(void)sandbox_signal(sandbox, SIGCONT);
	return target_answer(sandbox, &sandbox->interpreter, ORDER_WAKE);
}

int restore_resume(struct sandbox *sandbox, const struct happening *what)
{
	int error = sandbox_make_room(sandbox, 0); /* forks again */

	(void)what;
	if (sandbox->clear_workspace)
		sandbox_recount_files(sandbox);
	sandbox->clear_workspace = false;
	if (error)
		return error;
	return sandbox->checkpoint_count
		       ? wake_newest(sandbox)
		       : sandbox_ask_init(sandbox, INIT_START_INTERPRETER, 0, NULL, 0);
}

/* OTHERWISE: the workspace stays, and it goes on at once. */
int restore_clear(struct sandbox *sandbox, const struct happening *what)
{
	if (sandbox->clear_workspace) {
		sandbox_send_task(sandbox, sandbox->all->config.slow_offload, clear);
		return 0;
	}
	int error = restore_resume(sandbox, what);
	return error ? error : OTHERWISE;
}

int restore_failed(struct sandbox *sandbox, const struct happening *what)
{
	(void)sandbox;
	(void)what;
	return -ECHILD;
}

void sandbox_clear_workspace(struct sandbox *sandbox)
{
	sandbox->clear_workspace = true;
}

/* -- forks ---------------------------------------------------------------------------- */

/* Jobs in a fork of the interpreter, which itself stays as it was: one loaded
 * submission serves many cases, and none of them finds a trace of another.
 *
 * The fork becomes `interpreter`, its fork template waits as `original`.
 * When the fork is dead, init and template must be all that is left, counted
 * by the kernel in tasks; what is left besides is swept as when going back. */

enum {
	TASKS_OF_ONE = 2, /* init and interpreter, one thread each */
	/* Where a process in between hands it to init, that takes a place of the program's, which
	 * is not there yet: so the limit is the same before, with and after each fork. */
	ROOM_FOR_A_FORK = 1,
};

void sandbox_keep_workspace(struct sandbox *sandbox)
{
	(void)workspace_keep(&sandbox->workspace, &sandbox->untouched);
}

bool sandbox_is_alone(struct sandbox *sandbox)
{
	return cgroup_count_tasks(sandbox->cgroup) == TASKS_OF_ONE &&
	       workspace_is_untouched(&sandbox->workspace, &sandbox->untouched);
}

bool sandbox_is_forked(const struct sandbox *sandbox)
{
	return sandbox->original.pid != 0;
}

bool sandbox_fork_is_marked(const struct sandbox *sandbox)
{
	return sandbox->fork_marked;
}

/* -- fork ------------------------------------------------------------------------ */

int fork_begin(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (sandbox->original.pid)
		return -EBUSY;
	int error = sandbox_make_room(sandbox, ROOM_FOR_A_FORK);
	if (!error)
		error = target_answer(sandbox, &sandbox->interpreter, ORDER_FORK);
	if (error)
		return error;
	sandbox->original = sandbox->interpreter;
	sandbox->original_inside = sandbox->interpreter_inside;
	sandbox->interpreter = TARGET_NONE;
	sandbox->interpreter_inside = 0;
	return 0;
}

static void go_on_as_template(struct sandbox *sandbox)
{
	sandbox->interpreter = sandbox->original;
	sandbox->interpreter_inside = sandbox->original_inside;
	sandbox->original = TARGET_NONE;
	sandbox->original_inside = 0;
	/* A pipe's flags belong to all who have it open: each fork gets its own. */
	sandbox->stdio_intact = false;
}

int fork_original_is_ready(struct sandbox *sandbox, const struct happening *what)
{
	target_accept(&sandbox->original, what->note);
	return 0;
}

int fork_none(struct sandbox *sandbox, const struct happening *what)
{
	target_accept(&sandbox->original, what->note);
	go_on_as_template(sandbox);
	return 0;
}

/* The first stranger is the fork: nobody else was there before. */
int fork_adopt(struct sandbox *sandbox, const struct happening *what)
{
	return target_adopt(sandbox, what->note, &sandbox->interpreter);
}

static int become_idle(struct sandbox *sandbox)
{
	int error = sandbox_watch_interpreter(sandbox);

	if (error)
		return error;
	sandbox->fork_marked =
		sandbox->last_fork && sandbox->interpreter_inside != sandbox->last_fork + 1;
	sandbox->last_fork = sandbox->interpreter_inside;
	sandbox->stdio_intact = false;
	return 0;
}

int fork_adopt_and_idle(struct sandbox *sandbox, const struct happening *what)
{
	int error = fork_adopt(sandbox, what);

	return error ? error : become_idle(sandbox);
}

int fork_original_is_ready_and_idle(struct sandbox *sandbox, const struct happening *what)
{
	(void)fork_original_is_ready(sandbox, what);
	return become_idle(sandbox);
}

/* -- join ------------------------------------------------------------------------ */

/* The fork lives: its death is told. */
int fork_kill(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (!sandbox->original.pid)
		return -ECHILD;
	target_kill(&sandbox->interpreter);
	sandbox_close_stdio(sandbox);
	return 0;
}

/* It has died by itself. */
int fork_join(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (!sandbox->original.pid)
		return -ECHILD;
	sandbox_close_stdio(sandbox);
	return sweep_begin(sandbox);
}

/* The mailbox is shared by all forks: what is in it would be the next one's to
 * read. It is emptied, and not only where we know that something was put. */
static int be_template(struct sandbox *sandbox)
{
	if (madvise(sandbox->mailbox, MAILBOX_BYTES, MADV_REMOVE))
		return -errno;
	go_on_as_template(sandbox);
	return 0;
}

/* The fork is dead and reaped. As a rule it was alone. */
int fork_gone(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	if (cgroup_count_tasks(sandbox->cgroup) == TASKS_OF_ONE)
		return be_template(sandbox);
	int error = sweep_begin(sandbox);
	return error ? error : OTHERWISE;
}

/* OTHERWISE: there are threads, for example, in what should only have waited. */
int fork_swept(struct sandbox *sandbox, const struct happening *what)
{
	int error = sandbox_make_room(sandbox, ROOM_FOR_A_FORK); /* forks again */

	(void)what;
	if (error)
		return error;
	if (cgroup_count_tasks(sandbox->cgroup) != TASKS_OF_ONE)
		return OTHERWISE;
	return be_template(sandbox);
}
