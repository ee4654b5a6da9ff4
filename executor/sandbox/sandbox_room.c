/* Whose uid a process of a sandbox has, and how many processes there may be.
 *
 * The room for init, interpreter, checkpoints and a command is never the program's to
 * take: the group's limit is its own allowance and those of ours that exist, and is
 * raised only while we make one more. */
#include "executor/sandbox/sandbox_parts.h"

/* Of a slot's uids the programs have the first ones, init the last one. */
enum { UID_OF_INIT = SLOT_UIDS - 1 };
_Static_assert((int)SANDBOX_USERS_MAX <= (int)UID_OF_INIT, "a uid for each program and init");

enum { PROCESSES_OF_OURS = 2 }; /* init and interpreter, one thread each */

static uid_t host_uid(const struct sandbox *sandbox, unsigned offset)
{
	return sandbox->all->config.uid_base + (uid_t)sandbox->slot * SLOT_UIDS + offset;
}

uid_t sandbox_uid(const struct sandbox *sandbox)
{
	return host_uid(sandbox, sandbox->user);
}

uid_t sandbox_init_uid(const struct sandbox *sandbox)
{
	return host_uid(sandbox, UID_OF_INIT);
}

static uint64_t processes_of_ours(const struct sandbox *sandbox)
{
	return PROCESSES_OF_OURS + sandbox->checkpoint_count + (sandbox->original.pid != 0);
}

struct cgroup_limits sandbox_group_limits(const struct sandbox *sandbox,
					  const struct limits *limits)
{
	return (struct cgroup_limits){
		.memory_bytes = sandbox_memory_beside_files(sandbox, limits),
		.processes = limits->processes + processes_of_ours(sandbox),
		.cpu_percent = sandbox->all->config.cpu_percent,
	};
}

/* A second wall, out of the first one's way: the cgroup's refusals are counted. */
uint64_t sandbox_process_rlimit(const struct sandbox *sandbox)
{
	const struct sandboxes_config *config = &sandbox->all->config;

	return 2 * (config->limits.processes + config->undo_depth_max) + 64;
}

int sandbox_make_room(struct sandbox *sandbox, unsigned more)
{
	uint64_t room = sandbox->limits.processes + processes_of_ours(sandbox) + more;

	if (room == sandbox->room)
		return 0;
	int error = cgroup_limit_processes(sandbox->cgroup, room);
	if (!error)
		sandbox->room = room;
	return error;
}

int sandbox_forbid_forks(struct sandbox *sandbox)
{
	sandbox->room = 0;
	return cgroup_limit_processes(sandbox->cgroup, 0);
}
