#include "python_arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "python_object.h"

/* Small requests of pymalloc: multiples of 16 bytes up to 512. */
enum { SMALL_STEP = 16, SMALL_MAX = 512 };

static bool refusing, refused;
static uintptr_t next_place; /* a wish for the next arena; 0: none */

static void *allocate(void *context, size_t size)
{
	(void)context;
	if (refusing) {
		refused = true;
		return NULL;
	}

	void *arena = mmap((void *)next_place, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		return NULL;
	/* A gap keeps neighbours from becoming one huge page that a small
	 * program would then pay for. */
	if (next_place)
		next_place = (uintptr_t)arena + size + (uintptr_t)sysconf(_SC_PAGESIZE);
	return arena;
}

static void release(void *context, void *arena, size_t size)
{
	(void)context;
	munmap(arena, size);
}

void python_arena_install(void)
{
	PyObjectArenaAllocator allocator = { NULL, allocate, release };

	PyObject_SetArenaAllocator(&allocator);
}

/* What is taken here is never given back: it belongs to every fork. */
void python_arena_fill(void)
{
	refusing = true;
	for (size_t size = SMALL_STEP; size <= SMALL_MAX; size += SMALL_STEP) {
		refused = false;
		while (!refused) {
			void *block = PyObject_Malloc(size);

			if (refused)
				PyObject_Free(block); /* malloc() stood in */
			if (!block)
				break;
		}
	}
	refusing = false;
}

void python_arena_scatter(void)
{
	const uintptr_t lowest = (uintptr_t)1 << 40, span = (uintptr_t)1 << 46;
	uintptr_t place;

	if (sizeof place < 8 || getrandom(&place, sizeof place, GRND_NONBLOCK) != sizeof place)
		return;
	next_place = (lowest + place % span) & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}
