#define _GNU_SOURCE
/* How a sandbox comes to be: its parts are made beside the loop, a zygote spawns
 * init, which joins its cgroup; init gets its ids, then its mounts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

/* -- tasks: beside the loop, alone with what is new or waits ----------------------- */

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

/* The first that init will hear: to move into its cgroup. */
static int make_socket(struct sandbox *sandbox)
{
	int pair[2], doors[CGROUP_DOORS_MAX];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	sandbox->init.fd = pair[0];
	sandbox->init_end = pair[1];
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	int count = cgroup_open_doors(sandbox->cgroup, doors);
	if (count <= 0)
		return count;
	int error = sandbox_ask_init(sandbox, INIT_JOIN, 0, doors, (size_t)count);
	for (int i = 0; i < count; i++)
		close(doors[i]);
	return error;
}

static void make_parts(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);
	const struct limits *limits = &sandbox->limits;
	struct cgroup_limits group = sandbox_group_limits(sandbox, limits);
	uid_t uid = sandbox_uid(sandbox);
	char name[32];

	snprintf(name, sizeof name, "sandbox-%d", sandbox->slot);
	sandbox->step = "make its cgroup";
	sandbox->error =
		cgroup_create(sandbox->all->config.cgroups, name, &group, &sandbox->cgroup);
	if (sandbox->error)
		return;
	sandbox->room = group.processes;
	sandbox->step = "make its workspace";
	sandbox->error = workspace_create(limits->workspace_bytes, limits->workspace_inodes, uid,
					  uid, &sandbox->workspace);
	if (sandbox->error)
		return;
	sandbox->step = "look at its workspace";
	sandbox->error = workspace_mark(&sandbox->workspace, &sandbox->untouched);
	if (sandbox->error)
		return;
	sandbox->step = "make its mailbox";
	sandbox->error = make_mailbox(sandbox);
	if (sandbox->error)
		return;
	sandbox->step = "make its socket";
	sandbox->error = make_socket(sandbox);
}

static void on_task(struct offload_task *task)
{
	struct sandbox *sandbox = LOOP_OWNER(task, struct sandbox, task);

	sandbox->task_out = false;
	sandbox_report(sandbox,
		       &(struct happening){ .event = sandbox->error ? ON_TASK_FAILED : ON_TASK_DONE,
					    .step = sandbox->step,
					    .error = sandbox->error });
}

void sandbox_send_task(struct sandbox *sandbox, struct offload *offload,
		       void (*run)(struct offload_task *task))
{
	sandbox->task.run = run;
	sandbox->task.done = on_task;
	sandbox->task_out = true;
	sandbox->error = 0;
	offload_send(offload, &sandbox->task);
}

/* -- in the loop ---------------------------------------------------------------------- */

struct sandbox *sandbox_new(struct sandboxes *all, struct zygote_pool *zygote_pool,
			    const struct sandbox_owner *owner, int slot)
{
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);

	if (!sandbox)
		return NULL;
	sandbox->all = all;
	sandbox->owner = *owner;
	sandbox->zygote_pool = zygote_pool;
	sandbox->slot = slot;
	sandbox->limits = all->config.limits;
	sandbox->workspace = WORKSPACE_CLOSED;
	sandbox->init.fd = sandbox->life.fd = sandbox->listener.fd = sandbox->feeder.fd = -1;
	sandbox->mailbox_fd = sandbox->init_end = sandbox->shared = -1;
	sandbox->interpreter = sandbox->original = TARGET_NONE;
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
	sandbox_send_task(sandbox, all->config.offload, make_parts);
	return sandbox;
}

int spawn_ask_zygote(struct sandbox *sandbox, const struct happening *what)
{
	uint64_t cookie = ++sandbox->all->cookies;
	int error = zygote_pool_spawn(sandbox->zygote_pool, cookie, sandbox->init_end,
				      sandbox->mailbox_fd, &sandbox->generation);

	(void)what;
	if (error)
		return error;
	sandbox->cookie = cookie;
	owned_close(&sandbox->init_end);
	owned_close(&sandbox->mailbox_fd);
	return 0;
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

/* init's id and the programs', on the sandbox's own uids outside; groups alike. */
static int map_ids(const struct sandbox *sandbox)
{
	char map[96];

	snprintf(map, sizeof map, "%d %u 1\n%d %u %d\n", SANDBOX_INIT_UID,
		 sandbox_init_uid(sandbox), SANDBOX_USER_UID, sandbox_uid(sandbox),
		 SANDBOX_USERS_MAX);
	int error = write_map(sandbox->init_pid, "setgroups", "deny");
	if (!error)
		error = write_map(sandbox->init_pid, "uid_map", map);
	return error ? error : write_map(sandbox->init_pid, "gid_map", map);
}

/* Here and not beside the loop, where it would wait behind the making of other sandboxes:
 * it never waits itself. Nobody else reaps init, so the pid is its own. */
int spawn_map_ids(struct sandbox *sandbox, const struct happening *what)
{
	int error = sandbox_watch_init(sandbox, what->pid, take_fd(what->fd));

	return error ? error : map_ids(sandbox);
}

/* It was asked to join its cgroup before, so nothing of the sandbox's is charged elsewhere;
 * and now that its ids are mapped it can take one. */
int spawn_enter(struct sandbox *sandbox, const struct happening *what)
{
	const int *mounts = sandbox->workspace.mounts;
	AUTO_FD context = take_fd(what->fd);
	AUTO_FD proc = proc_mount(context);

	if (proc < 0)
		return proc;
	const int fds[] = { proc, mounts[0], mounts[1], mounts[2] };
	int error = sandbox_ask_init(sandbox, INIT_ENTER, 0, fds, 4);
	workspace_close_mounts(&sandbox->workspace);
	return error;
}
