#define _GNU_SOURCE
/* How a sandbox comes to be: its parts are made beside the loop, a zygote bears
 * init, init gets its cgroup and its ids, then its mounts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/owned.h"
#include "common/packet.h"
#include "executor/sandbox/sandbox_parts.h"

enum {
	SPAWN_MS = 10000, /* a loaded machine, with zygotes still importing */
	/* What is not the program's: init, interpreter, and forks in between. */
	PROCESSES_OF_OURS = 4,
};

enum { UID_OF_USER, UID_OF_INIT };

static uid_t host_uid(const struct sandbox *sandbox, unsigned offset)
{
	return sandbox->all->config.uid_base + (uid_t)sandbox->slot * SLOT_UIDS + offset;
}

uid_t sandbox_uid(const struct sandbox *sandbox)
{
	return host_uid(sandbox, UID_OF_USER);
}

struct cgroup_limits sandbox_group_limits(const struct sandbox *sandbox,
					  const struct limits *limits)
{
	const struct sandboxes_config *config = &sandbox->all->config;

	return (struct cgroup_limits){
		.memory_bytes = limits->memory_bytes,
		.processes = limits->processes + PROCESSES_OF_OURS + config->undo_depth_max,
		.cpu_percent = config->cpu_percent,
	};
}

/* A second wall, out of the first one's way: the cgroup's refusals are counted. */
uint64_t sandbox_process_rlimit(const struct sandbox *sandbox)
{
	return 2 * sandbox_group_limits(sandbox, &sandbox->all->config.limits).processes + 64;
}

/* -- offloaded tasks: beside the loop, alone with what is new or waits -------------------- */

static int make_mailbox(struct sandbox *sandbox)
{
	AUTO_FD fd = memfd_create("mailbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, MAILBOX_BYTES))
		return -errno;
	/* shrinking it would make our own reads fatal */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	void *map = mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	sandbox->mailbox = map;
	sandbox->mailbox_fd = take_fd(&fd);
	return 0;
}

static void make_parts(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);
	const struct limits *limits = &sandbox->limits;
	struct cgroup_limits group = sandbox_group_limits(sandbox, limits);
	char name[32];

	snprintf(name, sizeof name, "sandbox-%d", sandbox->slot);
	sandbox->step = "make its cgroup";
	sandbox->error = cgroup_create(sandbox->all->config.cgroups, name, &group,
				       &sandbox->cgroup);
	if (sandbox->error)
		return;
	sandbox->step = "make its workspace";
	sandbox->error = workspace_create(limits->workspace_bytes, limits->workspace_inodes,
					  host_uid(sandbox, UID_OF_USER),
					  host_uid(sandbox, UID_OF_USER), &sandbox->workspace);
	if (sandbox->error)
		return;
	sandbox->step = "look at its workspace";
	sandbox->error = workspace_mark(&sandbox->workspace, &sandbox->untouched);
	if (sandbox->error)
		return;
	sandbox->step = "make its mailbox";
	sandbox->error = make_mailbox(sandbox);
}

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Two ids inside, on the sandbox's own uids outside; groups alike. */
static int map_ids(const struct sandbox *sandbox)
{
	char map[96];

	snprintf(map, sizeof map, "%d %u 1\n%d %u 1\n", SANDBOX_INIT_UID,
		 host_uid(sandbox, UID_OF_INIT), SANDBOX_USER_UID,
		 host_uid(sandbox, UID_OF_USER));
	int error = write_map(sandbox->init_pid, "setgroups", "deny");
	if (!error)
		error = write_map(sandbox->init_pid, "uid_map", map);
	return error ? error : write_map(sandbox->init_pid, "gid_map", map);
}

/* The pid stays init's: nobody reaps it while the offloaded task is out. */
static void place_init(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);

	sandbox->step = "move it to its cgroup";
	sandbox->error = cgroup_attach(sandbox->cgroup, sandbox->init_pid);
	if (sandbox->error)
		return;
	sandbox->step = "map its ids";
	sandbox->error = map_ids(sandbox);
}

/* -- in the loop ---------------------------------------------------------------------- */

/* An offloaded task is back. False: it is not wanted any more, or has failed. */
static bool came_back(struct sandbox *sandbox)
{
	sandbox->task_out = false;
	if (sandbox->phase == SANDBOX_DIES) {
		sandbox_teardown_if_dead(sandbox);
		return false;
	}
	if (sandbox->error) {
		sandbox_fail(sandbox, sandbox->step, sandbox->error);
		return false;
	}
	return true;
}

static void send_task(struct sandbox *sandbox, void (*run)(struct offload_task *task),
		 void (*done)(struct offload_task *task))
{
	sandbox->task.run = run;
	sandbox->task.done = done;
	sandbox->task_out = true;
	offload_send(sandbox->all->config.offload, &sandbox->task);
}

static void on_spawn_late(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);

	sandbox->cookie = 0; /* an answer that comes yet is nobody's */
	sandbox_fail(sandbox, "be spawned in time", -ETIMEDOUT);
}

static int ask_for_spawn(struct sandbox *sandbox)
{
	AUTO_FD theirs = -1;
	int pair[2];
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	sandbox->init.fd = pair[0];
	theirs = pair[1];
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	uint64_t cookie = ++sandbox->all->cookies;
	error = zygote_pool_spawn(sandbox->zygote_pool, cookie, theirs, sandbox->mailbox_fd);
	if (error)
		return error;
	sandbox->cookie = cookie;
	owned_close(&sandbox->mailbox_fd);
	return loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
			      loop_now_us() + SPAWN_MS * 1000, on_spawn_late);
}

static void on_parts(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);

	if (!came_back(sandbox))
		return;
	int error = ask_for_spawn(sandbox);
	if (error)
		sandbox_fail(sandbox, "ask a zygote for it", error);
}

static struct sandbox *new_sandbox(struct sandboxes *all, const struct sandbox_owner *owner,
				   int slot)
{
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);

	if (!sandbox)
		return NULL;
	sandbox->all = all;
	sandbox->owner = *owner;
	sandbox->slot = slot;
	sandbox->limits = all->config.limits;
	sandbox->workspace = WORKSPACE_CLOSED;
	sandbox->init.fd = sandbox->life.fd = sandbox->listener.fd = sandbox->feeder.fd = -1;
	sandbox->mailbox_fd = sandbox->procfs = sandbox->shared = -1;
	sandbox->interpreter.pidfd = sandbox->original.pidfd = -1;
	for (int i = 0; i < STREAMS; i++) {
		sandbox->streams[i].source.fd = -1;
		sandbox->command.streams[i].source.fd = -1;
		sandbox->command.streams[i].of_command = true;
	}
	sandbox->next = all->first;
	sandbox->link = &all->first;
	if (all->first)
		all->first->link = &sandbox->next;
	all->first = sandbox;
	all->count++;
	return sandbox;
}

int sandbox_create(struct sandboxes *sandboxes, struct zygote_pool *zygote_pool,
		   const struct sandbox_owner *owner, struct sandbox **ret_sandbox)
{
	if (!zygote_pool_warm_count(zygote_pool))
		return -EAGAIN;

	int slot = slots_take(sandboxes->config.slots);
	if (slot < 0)
		return slot;
	struct sandbox *sandbox = new_sandbox(sandboxes, owner, slot);
	if (!sandbox) {
		slots_give_back(sandboxes->config.slots, slot);
		return -ENOMEM;
	}
	sandbox->zygote_pool = zygote_pool;
	send_task(sandbox, make_parts, on_parts);
	*ret_sandbox = sandbox;
	return 0;
}

/* Both must have come: init's offer, and its place in the world. The
 * cgroup comes before anything is allocated, the ids before init takes one. */
static void enter_if_ready(struct sandbox *sandbox)
{
	const int *mounts = sandbox->workspace.mounts;

	if (sandbox->procfs < 0 || !sandbox->placed)
		return;
	AUTO_FD context = take_fd(&sandbox->procfs);
	AUTO_FD proc = proc_mount(context);
	if (proc < 0) {
		sandbox_fail(sandbox, "mount its procfs", proc);
		return;
	}
	const int fds[] = { proc, mounts[0], mounts[1], mounts[2] };
	int error = sandbox_ask_init(sandbox, INIT_ENTER, 0, fds, 4);
	workspace_close_mounts(&sandbox->workspace);
	if (error)
		sandbox_fail(sandbox, "send it its mounts", error);
}

static void on_placed(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);

	if (!came_back(sandbox))
		return;
	sandbox->placed = true;
	enter_if_ready(sandbox);
}

void sandbox_offer_procfs(struct sandbox *sandbox, int context)
{
	if (sandbox->procfs >= 0 || sandbox->phase != SANDBOX_SETS_UP) {
		close(context);
		return;
	}
	sandbox->procfs = context;
	enter_if_ready(sandbox);
}

static void on_spawned(struct sandbox *sandbox, pid_t pid, int pidfd, uint64_t generation)
{
	int error = pid < 0 ? (int)pid : 0;

	sandbox->cookie = 0;
	sandbox->generation = generation;
	if (!error) {
		sandbox->init_pid = pid;
		error = sandbox_watch_life(sandbox, pidfd);
	}
	if (sandbox->phase == SANDBOX_DIES) {
		sandbox_end_init(sandbox);
		return;
	}
	sandbox->phase = SANDBOX_SETS_UP;
	if (!error)
		error = sandbox_watch_init(sandbox);
	if (error)
		sandbox_fail(sandbox, "be spawned", error);
	else
		send_task(sandbox, place_init, on_placed);
}

void sandboxes_spawned(struct sandboxes *sandboxes, uint64_t cookie, pid_t pid, int pidfd,
		    uint64_t generation)
{
	for (struct sandbox *sandbox = sandboxes->first; sandbox; sandbox = sandbox->next) {
		if (sandbox->cookie == cookie) {
			on_spawned(sandbox, pid, pidfd, generation);
			return;
		}
	}
	if (pidfd >= 0) /* nobody waits for it any more */
		sandbox_discard_init(pid, pidfd);
}
