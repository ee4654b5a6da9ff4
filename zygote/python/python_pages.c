#include "zygote/python/python_fork.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "zygote/python/python.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_run.h"
#include "zygote/python/python_source.h"

/* Small requests of pymalloc: multiples of 16 bytes up to 512. Arenas are 256 KiB
 * or 1 MiB; smaller than that are parts of the interpreter's stack of frames. */
enum { SMALL_STEP = 16, SMALL_MAX = 512, SMALLEST_ARENA = 256 << 10 };

/* All arenas lie in one aligned region, as long as that has room: pymalloc keeps
 * a table of 1 MiB slots for each GiB (arena_map_bot_t), and a fork that begins
 * another one pays for a dozen pages. */
static const uintptr_t region_bytes = (uintptr_t)1 << 30;

static bool refusing, refused, filled;
static uintptr_t region;     /* where it begins; 0: the kernel chooses */
static uintptr_t next_place; /* a wish for the next arena */

static uintptr_t page_bytes(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

static void *allocate(void *context, size_t size)
{
	(void)context;
	if (refusing && size >= SMALLEST_ARENA) {
		refused = true;
		return NULL;
	}

	/* Parts of the stack of frames come and go, and would leave holes. */
	uintptr_t place = size >= SMALLEST_ARENA ? next_place : 0;
	void *arena = mmap((void *)place, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (arena == MAP_FAILED)
		return NULL;
	/* The zygote's arenas lie together (see python_pages_fill). In its forks a
	 * gap keeps neighbours from becoming one huge page that a small program
	 * would then pay for. */
	if (region && place)
		next_place = (uintptr_t)arena + size + (filled ? page_bytes() : 0);
	return arena;
}

static void release(void *context, void *arena, size_t size)
{
	(void)context;
	munmap(arena, size);
}

static bool is_free(uintptr_t place)
{
	void *found =
		mmap((void *)place, region_bytes, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (found == MAP_FAILED)
		return false;
	munmap(found, region_bytes);
	return found == (void *)place; /* before Linux 4.17 the flag is only a hint */
}

/* Somewhere in the address space, away from where the kernel puts mappings. What
 * another has reserved there (a sanitizer's shadow covers a quarter of the span)
 * would turn every wish into the same place in all forks. */
static void choose_region(void)
{
	enum { TRIES = 64 };
	const uintptr_t lowest = (uintptr_t)1 << 40, span = (uintptr_t)1 << 46;
	uintptr_t place;

	for (int i = 0; i < TRIES; i++) {
		if (sizeof place < 8 ||
		    getrandom(&place, sizeof place, GRND_NONBLOCK) != sizeof place)
			return;
		place = (lowest + place % span) & ~(region_bytes - 1);
		if (is_free(place)) {
			region = next_place = place;
			return;
		}
	}
}

void python_pages_install(void)
{
	PyObjectArenaAllocator allocator = { NULL, allocate, release };

	PyObject_SetArenaAllocator(&allocator);
	choose_region();
}

/* What is taken here is never given back: it belongs to every fork. From now on
 * malloc() serves the zygote, so that it makes no arena for its forks to share. */
void python_pages_fill(void)
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
	filled = true;
	if (region) {
		next_place = python_huge_extend(next_place);
		(void)python_huge_collapse(region, next_place);
	}
}

void python_pages_scatter(void)
{
	uintptr_t used = next_place - region, place;

	refusing = false;
	if (!region || used >= region_bytes / 2 ||
	    getrandom(&place, sizeof place, GRND_NONBLOCK) != sizeof place)
		return;
	/* the second half is left to grow into */
	next_place += place % (region_bytes / 2 - used) & ~(page_bytes() - 1);
}

/* Some interpreters specialise code at its second run, some after dozens. */
enum { ROUNDS = 64 };

static void format_current_error(void)
{
	AUTO_OBJECT *exception = python_error_take();
	AUTO_OBJECT *message = NULL;
	AUTO_OBJECT *text = exception ? python_traceback_format(exception, &message) : NULL;

	PyErr_Clear();
}

static void run(const char *code)
{
	const struct job job = { .kind = JOB_SCRIPT, .code = code, .code_length = strlen(code) };
	AUTO_BUFFER report = BUFFER_INIT(1024);
	AUTO_OBJECT *filename = PyUnicode_FromString("main.py");
	int flags = 0;

	if (filename && python_main_create(false) == 0) {
		AUTO_OBJECT *value = python_job_evaluate(&job, filename, &flags);

		if (value)
			python_report_ended(value, filename, &report);
		else
			format_current_error();
	}
	PyErr_Clear();
	python_source_forget();
	python_finish_rehearse();
}

void python_pages_warm_zygote(void)
{
	static const char *const samples[] = {
		"print(end='')",
		"if True: print(end='')",
		"def f(x):\n    return x + missing\nf(1)",
		"def f(x):\n    raise ValueError(x)\nf('text')",
		"x = = 1",
	};

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
			run(samples[i]);
	}
}

void python_pages_warm_fork(void)
{
	run("print(end='')");
}
