#include "executor/sandbox/slots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct slots {
	size_t count, taken;
	bool busy[];
};

int slots_new(size_t count, struct slots **ret_slots)
{
	struct slots *slots = calloc(1, sizeof *slots + count * sizeof *slots->busy);

	if (!slots)
		return -ENOMEM;
	slots->count = count;
	*ret_slots = slots;
	return 0;
}

void slots_free(struct slots *slots)
{
	free(slots);
}

size_t slots_lowest_free(const struct slots *slots)
{
	size_t i = 0;

	while (i < slots->count && slots->busy[i])
		i++;
	return i;
}

int slots_take(struct slots *slots)
{
	size_t slot = slots_lowest_free(slots);

	if (slot == slots->count)
		return -EAGAIN;
	slots->busy[slot] = true;
	slots->taken++;
	return (int)slot;
}

void slots_give_back(struct slots *slots, int slot)
{
	slots->busy[slot] = false;
	slots->taken--;
}

size_t slots_taken(const struct slots *slots)
{
	return slots->taken;
}

size_t slots_count(const struct slots *slots)
{
	return slots->count;
}
