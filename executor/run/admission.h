/* admission.h - who may run now, who waits, who is refused.
 *
 * One queue in order of arrival. A waiter is let in when fewer than `running`
 * run and, if it needs one, a sandbox of its pool is ready; it is turned away when
 * the queue is full or its time in it is over. Who can enter passes those that
 * wait for another pool, and those whose client has its share already. */
#ifndef VIVARIUM_ADMISSION_H
#define VIVARIUM_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/loop/loop.h"
#include "executor/sandbox/pool.h"

/* What each client address has running and waiting. A table, not a list: an entry that
 * counts nothing is taken for the next address, so a pointer to one is good for ever,
 * though it may come to mean another client. */
enum { CLIENTS_MAX = 4096, CLIENT_NAME_BYTES = 64 };

struct client {
	char name[CLIENT_NAME_BYTES]; /* cut to fit */
	uint64_t running, waiting;
	uint64_t rivals; /* for the CPU: those that run, and those that are paused */
};

struct clients {
	struct client table[CLIENTS_MAX];
	size_t used;
};

/* The entry of this address, as its only user may count it. NULL for no address, and
 * where CLIENTS_MAX others are active: then it is not counted. */
struct client *clients_find(struct clients *clients, const char *name, size_t length);

struct admission;

struct admission_config {
	struct loop *loop;
	uint64_t running;  /* at most, at the same time */
	uint64_t running_per_client;
	uint64_t queue;    /* at most waiting */
	uint64_t queue_per_client;
	uint64_t queue_ms; /* at most for so long */
};

struct waiter {
	struct pool *pool; /* granted() gets a sandbox of it, which is the waiter's; NULL: none */
	const char *client; /* its address, until it has left; not ended by NUL */
	size_t client_length; /* 0: it is not counted */
	bool loan;          /* the sandbox goes back by pool_give_back() */
	bool runs;          /* takes a running place, to be given back with admission_leave() */
	void (*granted)(struct waiter *waiter, struct sandbox *sandbox);
	void (*expired)(struct waiter *waiter);
	/* the queue's own */
	struct loop_timer timer;
	struct waiter *next;
	struct client *counted;
	struct admission *admission;
	bool waiting, paused;
};

int admission_new(const struct admission_config *config, struct admission **ret_admission);

/* Let in at once, or queue. 0; or -EAGAIN: the queue is full, or its client's part of it. granted() may be
 * called before this returns. */
int admission_enter(struct admission *admission, struct waiter *waiter);

/* Stop waiting; also if it does not wait. Others may be let in by that. */
void admission_withdraw(struct admission *admission, struct waiter *waiter);

/* Give a running place back; also while it is paused. */
void admission_leave(struct admission *admission, struct waiter *waiter);

/* A run only waits for its client: until it returns, at once and also where no place is
 * free, others may have its place. What it has left running meanwhile goes on: it stays
 * one of its client's rivals. */
void admission_pause(struct admission *admission, struct waiter *waiter);
void admission_return(struct admission *admission, struct waiter *waiter);

/* How many runs its client has, for run_parts.h; NULL: it is not counted. */
const uint64_t *admission_rivals(const struct waiter *waiter);

/* Look again: a sandbox has become ready. */
void admission_pump(struct admission *admission);

/* None will become ready: expired() for all that wait for this pool. */
void admission_expel(struct admission *admission, const struct pool *pool);

uint64_t admission_running(const struct admission *admission);
uint64_t admission_queued(const struct admission *admission);

/* When to try again, for who is refused now: when those that wait will have had
 * their turn, by a rough guess. */
uint64_t admission_retry_ms(const struct admission *admission);

void admission_free(struct admission *admission);

#endif
