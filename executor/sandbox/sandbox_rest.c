/* Programs leave threads and children behind, and these would have the CPU for as long as
 * the session lives, between its jobs too. A resting sandbox in which more goes on than
 * our own processes is held to a small share; the more there are, the smaller. */
#include "executor/sandbox/sandbox_parts.h"

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
