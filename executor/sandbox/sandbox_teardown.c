#define _GNU_SOURCE
/* How a sandbox ends: its init is killed, which kills all; it is reaped; what
 * it leaves is taken apart beside the loop; its slot is free again. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

enum {
	REMOVE_RETRY_NS = 1000000,
	REMOVE_TRIES = 2000,
	SETTLE_US = 1000000, /* without an end, then cgroups that wait for a use are removed */
};

static void send_kill(int pidfd)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void sandboxes_discard_init(pid_t pid, int pidfd)
{
	send_kill(pidfd);
	reap(pid);
	close(pidfd);
}

/* -- the offloaded task ------------------------------------------------------------------ */

static void close_descriptors(struct sandbox *sandbox)
{
	int *const fds[] = { &sandbox->init.fd,
			     &sandbox->listener.fd,
			     &sandbox->life.fd,
			     &sandbox->streams[0].source.fd,
			     &sandbox->streams[1].source.fd,
			     &sandbox->feeder.fd,
			     &sandbox->mailbox_fd,
			     &sandbox->init_end,
			     &sandbox->shared,
			     &sandbox->command.streams[0].source.fd,
			     &sandbox->command.streams[1].source.fd };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		owned_close(fds[i]);
	target_forget(&sandbox->interpreter);
	target_forget(&sandbox->original);
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		target_forget(&sandbox->checkpoints[i]);
	workspace_close(&sandbox->workspace);
}

static void take_apart(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);
	int error = 0;

	close_descriptors(sandbox);
	free(sandbox->feed);
	if (sandbox->mailbox)
		munmap(sandbox->mailbox, MAILBOX_BYTES);
	if (!sandbox->cgroup)
		return;
	/* all processes have been reaped, but the group may need a moment more */
	for (int i = 0; i < REMOVE_TRIES; i++) {
		error = cgroup_destroy(sandbox->cgroup);
		if (!error)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = REMOVE_RETRY_NS }, NULL);
	}
	log_error("sandbox %d: its cgroup cannot be removed: %s", sandbox->slot, strerror(-error));
}

/* -- in the loop -------------------------------------------------------------------- */

static void on_settle(struct loop_timer *timer);

static void settle(struct sandboxes *all)
{
	if (!all->settle.place && !all->trimming)
		(void)loop_set_timer(all->config.loop, &all->settle, all->last_end_us + SETTLE_US,
				     on_settle);
}

static void trim(struct offload_task *task)
{
	cgroup_tree_trim(LOOP_OWNER(task, struct sandboxes, trim)->config.cgroups);
}

static void trimmed(struct offload_task *task)
{
	struct sandboxes *all = LOOP_OWNER(task, struct sandboxes, trim);

	all->trimming = false;
	if (all->last_end_us) /* meanwhile */
		settle(all);
}

static void on_settle(struct loop_timer *timer)
{
	struct sandboxes *all = LOOP_OWNER(timer, struct sandboxes, settle);

	if (loop_now_us() < all->last_end_us + SETTLE_US) {
		settle(all);
		return;
	}
	all->trimming = true;
	all->last_end_us = 0;
	all->trim.run = trim;
	all->trim.done = trimmed;
	offload_send(all->config.slow_offload, &all->trim);
}

void teardown_finish(struct sandbox *sandbox, const struct happening *what)
{
	struct sandboxes *all = sandbox->all;

	(void)what;
	slots_give_back(all->config.slots, sandbox->slot);
	*sandbox->link = sandbox->next;
	if (sandbox->next)
		sandbox->next->link = sandbox->link;
	all->count--;
	sweep_forget_others(sandbox);
	sandbox_forget_files(sandbox);
	all->last_end_us = loop_now_us();
	settle(all);
	free(sandbox);
	all->config.gone(all->config.context);
}

static void leave_loop(struct sandbox *sandbox)
{
	struct loop *loop = sandbox->all->config.loop;

	loop_clear_timer(loop, &sandbox->sweep);
	loop_clear_timer(loop, &sandbox->deaf);
	loop_remove(loop, &sandbox->init);
	loop_remove(loop, &sandbox->listener);
	loop_remove(loop, &sandbox->life);
	loop_remove(loop, &sandbox->feeder);
	for (int i = 0; i < STREAMS; i++) {
		loop_remove(loop, &sandbox->streams[i].source);
		loop_remove(loop, &sandbox->command.streams[i].source);
	}
}

int teardown_if_home(struct sandbox *sandbox, const struct happening *what)
{
	(void)what;
	/* a zygote's answer, or a task beside the loop, is still to come home */
	if (sandbox->cookie || sandbox->task_out)
		return 0;
	if (sandbox->init_pid && !sandbox->init_dead)
		return 0;
	if (sandbox->init_pid)
		reap(sandbox->init_pid);
	sandbox->init_pid = 0;
	leave_loop(sandbox);
	sandbox_send_task(sandbox, sandbox->all->config.slow_offload, take_apart);
	return OTHERWISE;
}

int teardown_kill(struct sandbox *sandbox, const struct happening *what)
{
	sandbox_end_rest(sandbox);
	loop_clear_timer(sandbox->all->config.loop, &sandbox->sweep);
	if (sandbox->init_pid && !sandbox->init_dead) {
		send_kill(sandbox->life.fd); /* pid 1 takes all of its namespace along */
		if (!sandbox->life.added)    /* nobody would tell us: it is a matter of ms */
			sandbox->init_dead = true;
	}
	return teardown_if_home(sandbox, what);
}

int teardown_kill_late(struct sandbox *sandbox, const struct happening *what)
{
	/* without memory for watching it: see teardown_kill() */
	(void)sandbox_watch_init(sandbox, what->pid, take_fd(what->fd));
	return teardown_kill(sandbox, what);
}

int teardown_give_up_spawn(struct sandbox *sandbox, const struct happening *what)
{
	if (sandbox->cookie)
		log_error("sandbox %d: no zygote answers for it", sandbox->slot);
	else
		log_error("sandbox %d: it takes long to die", sandbox->slot);
	sandbox->cookie = 0;
	return teardown_if_home(sandbox, what);
}
