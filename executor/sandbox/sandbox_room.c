/* Whose uid a process of a sandbox has, how many processes there may be, and what they get
 * of the CPU while nothing is asked of them.
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

/* -- rest -------------------------------------------------------------------------------- */

/* Programs leave threads and children behind, and these would have the CPU for as long as
 * the session lives, between its jobs too. A resting sandbox in which more goes on than
 * our own processes is held to a small share; the more there are, the smaller. */

enum { GRACE_MS = 300 }; /* for what ends by itself, such as a thread that is being joined */

/* In steps of two, so that not every sandbox that begins to rest changes all others. */
static uint64_t share(const struct sandboxes *all)
{
	const struct sandboxes_config *config = &all->config;
	uint64_t permille = config->idle_cpu_permille;

	while (permille > 1 && permille * all->held > config->idle_cpu_all_permille)
		permille /= 2;
	return permille;
}

static void hold(struct sandbox *sandbox, uint64_t permille)
{
	if (sandbox->held_permille != permille && !cgroup_hold_cpu(sandbox->cgroup, permille))
		sandbox->held_permille = permille;
}

static void hold_all(struct sandboxes *all)
{
	uint64_t permille = share(all);

	if (permille == all->held_permille)
		return;
	all->held_permille = permille;
	for (struct sandbox *sandbox = all->first; sandbox; sandbox = sandbox->next)
		if (sandbox->held_permille)
			hold(sandbox, permille);
}

/* What goes on may write for ever: nobody wants that now, so it waits. */
static void on_rested(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, rest);
	struct sandboxes *all = sandbox->all;

	if (sandbox->held_permille || !sandbox_has_others(sandbox))
		return;
	sandbox_hold_output(sandbox, true);
	all->held++;
	hold_all(all);
	hold(sandbox, all->held_permille);
	if (!sandbox->held_permille)
		all->held--;
}

void sandbox_end_rest(struct sandbox *sandbox)
{
	loop_clear_timer(sandbox->all->config.loop, &sandbox->rest);
	if (!sandbox->held_permille)
		return;
	hold(sandbox, 0);
	sandbox->held_permille = 0;
	sandbox->all->held--;
	hold_all(sandbox->all);
}

void sandbox_rest(struct sandbox *sandbox, bool rests)
{
	job_give_payload_back(sandbox);
	if (rests) {
		/* without memory for the timer they go on as they are */
		(void)loop_set_timer(sandbox->all->config.loop, &sandbox->rest,
				     loop_now_us() + GRACE_MS * 1000, on_rested);
		return;
	}
	sandbox_end_rest(sandbox);
	if (sandbox->held)
		sandbox_hold_output(sandbox, false);
}
