#define _GNU_SOURCE
#include "zygote/python/python_fork.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_BYTES = 2 << 20 };

static uintptr_t heap; /* where that of malloc() begins */

/* `at`, or the next place where a huge page can begin. */
static uintptr_t round_up(uintptr_t at)
{
	return (at + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
}

bool python_huge_collapse(uintptr_t from, uintptr_t to)
{
	enum { COLLAPSE = 25 }; /* MADV_COLLAPSE, missing in older headers */
	bool all = true;

	for (uintptr_t at = round_up(from); at + HUGE_BYTES <= to; at += HUGE_BYTES)
		all = !madvise((void *)at, HUGE_BYTES, COLLAPSE) && all;
	return all;
}

uintptr_t python_huge_extend(uintptr_t end)
{
	const size_t missing = round_up(end) - end;
	void *more = missing ? mmap((void *)end, missing, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
			     : MAP_FAILED;

	if (more == MAP_FAILED)
		return end;
	if (more == (void *)end)
		return end + missing;
	munmap(more, missing); /* before Linux 4.17 the flag is only a hint */
	return end;
}

/* malloc() stands it that others take from the heap's end, too. */
static uintptr_t extend_heap(void)
{
	const uintptr_t end = (uintptr_t)sbrk(0);

	(void)sbrk((intptr_t)(round_up(end) - end));
	return (uintptr_t)sbrk(0);
}

/* Before main(): the first to take memory is not Python. */
static __attribute__((constructor)) void begin(void)
{
	heap = extend_heap();
}

/* -- programs and libraries ---------------------------------------------------------------- */

enum { PARTS_MAX = 16 };

/* Sanitizers know what lies where, and read what is around it themselves. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static const bool may_pack = false;
#else
static const bool may_pack = true;
#endif

/* Pages of a library: all that is never written after its relocation, or all the rest. */
struct part {
	uintptr_t from, to;
	int protection;
	uintptr_t copy; /* first from the beginning of all copies, then their place */
};

struct parts {
	struct part all[PARTS_MAX];
	size_t count;
};

static uintptr_t page_start(uintptr_t at)
{
	return at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static uintptr_t page_end(uintptr_t at)
{
	return page_start(at + (uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/* Of a library's five mappings make two: what only differs in being executable, or in
 * having been made read-only after its relocation, becomes one. In a process that runs
 * whatever it is told these differences protect nothing. */
static void merge(const struct dl_phdr_info *library)
{
	for (size_t i = 0; *library->dlpi_name && i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &library->dlpi_phdr[i];
		uintptr_t from = library->dlpi_addr + header->p_vaddr, to = from + header->p_memsz;

		if (header->p_type == PT_LOAD && header->p_flags == PF_R)
			(void)mprotect((void *)page_start(from), to - page_start(from),
				       PROT_READ | PROT_EXEC);
		if (header->p_type == PT_GNU_RELRO)
			(void)mprotect((void *)page_start(from), page_start(to) - page_start(from),
				       PROT_READ | PROT_WRITE);
	}
}

/* Every run uses these: the program itself, C and Python. */
static bool is_hot(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return !*path || !strncmp(name, "libc.so.", 8) || !strncmp(name, "libpython", 9);
}

/* False if there is a hole in it, or it is in another order: it stays as it is. */
static bool add_parts(const struct dl_phdr_info *library, struct parts *parts)
{
	struct part fixed = { .protection = PROT_READ | PROT_EXEC };
	struct part written = { .protection = PROT_READ | PROT_WRITE };
	uintptr_t relocated = 0;

	for (size_t i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &library->dlpi_phdr[i];
		uintptr_t from = library->dlpi_addr + header->p_vaddr, to = from + header->p_memsz;
		struct part *part = header->p_flags & PF_W ? &written : &fixed;

		if (header->p_type == PT_GNU_RELRO)
			relocated = page_start(to);
		if (header->p_type != PT_LOAD)
			continue;
		if (part->to && part->to != page_start(from))
			return false;
		part->from = part->to ? part->from : page_start(from);
		part->to = page_end(to);
	}
	if (!fixed.to || fixed.to != written.from || relocated < written.from ||
	    relocated >= written.to || parts->count + 2 > PARTS_MAX)
		return false;
	fixed.to = written.from = relocated;
	parts->all[parts->count++] = fixed;
	parts->all[parts->count++] = written;
	return true;
}

static int look_at(struct dl_phdr_info *library, size_t size, void *context)
{
	(void)size;
	if (!is_hot(library->dlpi_name) || !add_parts(library, context))
		merge(library);
	return 0;
}

/* The large ones first, each as far from a huge page's beginning as it is itself: it
 * can then be moved as huge pages. The others follow without a gap. Returns the sum. */
static size_t lay_out(struct parts *parts)
{
	size_t total = 0;

	for (int large = 1; large >= 0; large--) {
		for (size_t i = 0; i < parts->count; i++) {
			struct part *part = &parts->all[i];
			size_t size = part->to - part->from;

			if ((size >= HUGE_BYTES) != large)
				continue;
			if (large)
				total = round_up(total) + part->from % HUGE_BYTES;
			part->copy = total;
			total += size;
		}
	}
	return round_up(total);
}

/* Give `part` its copy's pages, at its own addresses, which nothing writes to meanwhile:
 * that would be lost. What is executable is so only after it has been filled. */
static void move(const struct part *part)
{
	const size_t size = part->to - part->from;

	memcpy((void *)part->copy, (void *)part->from, size);
	if (!mprotect((void *)part->copy, size, part->protection))
		(void)mremap((void *)part->copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     (void *)part->from);
}

/* As huge pages or not at all: small ones would be more entries than before. */
static void pack(struct parts *parts)
{
	const size_t total = lay_out(parts), size = total + HUGE_BYTES;
	char *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uintptr_t copies = round_up((uintptr_t)room);

	if (room == MAP_FAILED)
		return;
	for (uintptr_t at = copies; at < copies + total; at += HUGE_BYTES)
		*(volatile char *)at = 0; /* what has no page at all does not become one */
	if (python_huge_collapse(copies, copies + total)) {
		for (size_t i = 0; i < parts->count; i++) {
			parts->all[i].copy += copies;
			move(&parts->all[i]);
		}
	}
	munmap(room, size); /* what has not been moved away */
}

void python_huge_finish(void)
{
	struct parts parts = { .count = 0 };

	(void)python_huge_collapse(heap, extend_heap());
	(void)dl_iterate_phdr(look_at, &parts);
	if (may_pack)
		pack(&parts);
}
