/* owned.h - locals that clean up after themselves, and how to hand them on. */
#ifndef VIVARIUM_OWNED_H
#define VIVARIUM_OWNED_H

#include <stdlib.h>
#include <unistd.h>

static inline void owned_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void owned_free(void *pointer)
{
	free(*(void **)pointer);
	*(void **)pointer = NULL;
}

#define AUTO_FD __attribute__((cleanup(owned_close))) int
#define AUTO_FREE __attribute__((cleanup(owned_free)))

/* The value, which the local then no longer owns. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_pointer_(void *pointer)
{
	void *taken = *(void **)pointer;

	*(void **)pointer = NULL;
	return taken;
}
#define take_pointer(p) ((__typeof__(*(p)))take_pointer_(p))

#endif
