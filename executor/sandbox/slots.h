/* slots.h - which host uids a sandbox may use.
 *
 * Every live sandbox has a slot of its own: SLOT_UIDS consecutive uids (and the
 * same gids) above uid_base. The lowest free slot is taken first. */
#ifndef VIVARIUM_SLOTS_H
#define VIVARIUM_SLOTS_H

#include <stddef.h>
#include <stdint.h>

enum { SLOT_UIDS = 16 };

struct slots;

/* 0 or -ENOMEM. */
int slots_new(size_t count, struct slots **ret_slots);
void slots_free(struct slots *slots);

/* The lowest free slot, from 0, or -EAGAIN. */
int slots_take(struct slots *slots);

/* The one that slots_take() would give, or the count if none is free. */
size_t slots_lowest_free(const struct slots *slots);
void slots_give_back(struct slots *slots, int slot);

/* How many are taken, and how many there are. */
size_t slots_taken(const struct slots *slots);
size_t slots_count(const struct slots *slots);

#endif
