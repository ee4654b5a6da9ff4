#include "executor/run/run_parts.h"

static void look_again(struct fair *fair);

uint64_t fair_weight(uint64_t used_us, uint64_t rivals)
{
	uint64_t weight = CGROUP_WEIGHT_FULL / (rivals ? rivals : 1) * FAIR_STEP_US /
			  (FAIR_STEP_US + used_us);

	return weight ? weight : 1;
}

static void weigh(struct fair *fair, uint64_t weight)
{
	if (weight != fair->weight && !sandbox_weigh(fair->sandbox, weight))
		fair->weight = weight;
}

static void on_look(struct loop_timer *timer)
{
	struct fair *fair = LOOP_OWNER(timer, struct fair, timer);
	uint64_t cpu_us = 0;

	if (sandbox_read_meters(fair->sandbox, &cpu_us, NULL))
		return;
	weigh(fair, fair_weight(cpu_us - fair->cpu_before_us, fair->rivals ? *fair->rivals : 1));
	if (fair->wait_us < FAIR_LAST_US)
		fair->wait_us *= 2;
	look_again(fair);
}

/* Without memory for the timer it keeps the weight that it has. */
static void look_again(struct fair *fair)
{
	(void)loop_set_timer(fair->loop, &fair->timer, loop_now_us() + fair->wait_us, on_look);
}

void fair_begin(struct fair *fair, struct loop *loop, struct sandbox *sandbox,
		uint64_t cpu_before_us, const uint64_t *rivals)
{
	*fair = (struct fair){ .loop = loop,
			       .sandbox = sandbox,
			       .rivals = rivals,
			       .cpu_before_us = cpu_before_us,
			       .wait_us = FAIR_FIRST_US,
			       .weight = CGROUP_WEIGHT_FULL };
	look_again(fair);
}

void fair_end(struct fair *fair, bool alive)
{
	if (!fair->loop)
		return;
	loop_clear_timer(fair->loop, &fair->timer);
	if (alive)
		weigh(fair, CGROUP_WEIGHT_FULL);
	fair->loop = NULL;
}
