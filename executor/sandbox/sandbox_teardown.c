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

enum { REMOVE_RETRY_NS = 1000000, REMOVE_TRIES = 2000 };

static void send_kill(int pidfd)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void sandbox_discard_init(pid_t pid, int pidfd)
{
	send_kill(pidfd);
	reap(pid);
	close(pidfd);
}

/* -- the offloaded task ------------------------------------------------------------------ */

static void close_descriptors(struct sandbox *sandbox)
{
	int *const fds[] = { &sandbox->init.fd,       &sandbox->listener.fd,
			     &sandbox->life.fd,         &sandbox->streams[0].source.fd,
			     &sandbox->streams[1].source.fd, &sandbox->feeder.fd,
			     &sandbox->mailbox_fd,      &sandbox->procfs, &sandbox->shared,
			     &sandbox->command.streams[0].source.fd,
			     &sandbox->command.streams[1].source.fd };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		owned_close(fds[i]);
	ringer_forget(&sandbox->interpreter);
	ringer_forget(&sandbox->original);
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		ringer_forget(&sandbox->checkpoints[i]);
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

static void on_apart(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);
	struct sandboxes *all = sandbox->all;

	slots_give_back(all->config.slots, sandbox->slot);
	*sandbox->link = sandbox->next;
	if (sandbox->next)
		sandbox->next->link = sandbox->link;
	all->count--;
	free(sandbox->command.before);
	free(sandbox);
	all->config.gone(all->config.context);
}

/* -- in the loop -------------------------------------------------------------------- */

static void leave_loop(struct sandbox *sandbox)
{
	struct loop *loop = sandbox->all->config.loop;

	loop_clear_timer(loop, &sandbox->timer);
	loop_remove(loop, &sandbox->init);
	loop_remove(loop, &sandbox->listener);
	loop_remove(loop, &sandbox->life);
	loop_remove(loop, &sandbox->feeder);
	for (int i = 0; i < STREAMS; i++) {
		loop_remove(loop, &sandbox->streams[i].source);
		loop_remove(loop, &sandbox->command.streams[i].source);
	}
}

void sandbox_teardown_if_dead(struct sandbox *sandbox)
{
	/* a zygote's answer, or an offloaded task, is still to come back */
	if (sandbox->phase != SANDBOX_DIES || sandbox->cookie || sandbox->task_out)
		return;
	if (sandbox->init_pid && !sandbox->init_dead)
		return;
	if (sandbox->init_pid)
		reap(sandbox->init_pid);
	sandbox->init_pid = 0;
	leave_loop(sandbox);
	sandbox->task.run = take_apart;
	sandbox->task.done = on_apart;
	sandbox->task_out = true;
	offload_send(sandbox->all->config.offload, &sandbox->task);
}

static void on_life(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, life);

	(void)events;
	loop_remove(sandbox->all->config.loop, source);
	/* it is reaped when no offloaded task can still use its pid */
	sandbox->init_dead = true;
	if (sandbox->phase == SANDBOX_DIES)
		sandbox_teardown_if_dead(sandbox);
	else
		sandbox_fail(sandbox, "keep its init alive", -ECHILD);
}

int sandbox_watch_life(struct sandbox *sandbox, int pidfd)
{
	sandbox->life.fd = pidfd;
	return loop_add(sandbox->all->config.loop, &sandbox->life, pidfd, EPOLLIN, on_life);
}

void sandbox_end_init(struct sandbox *sandbox)
{
	if (sandbox->init_pid && !sandbox->init_dead) {
		send_kill(sandbox->life.fd); /* pid 1 takes all of its namespace along */
		if (!sandbox->life.added)    /* nobody would tell us: it is a matter of ms */
			sandbox->init_dead = true;
	}
	sandbox_teardown_if_dead(sandbox);
}

void sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->phase == SANDBOX_DIES)
		return;
	sandbox->phase = SANDBOX_DIES;
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	sandbox_end_init(sandbox);
}

void sandbox_fail(struct sandbox *sandbox, const char *step, int error)
{
	if (sandbox->phase == SANDBOX_DIES)
		return;
	log_error("sandbox %d: cannot %s: %s", sandbox->slot, step, strerror(-error));
	sandbox->owner.failed(sandbox->owner.context, sandbox);
}
