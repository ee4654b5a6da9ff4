/* fuzz.h - a decoder of hostile bytes, its seeds, and what must hold for every input.
 *
 * Each fuzz_*.c is one program. By itself (driver.c) it mutates its seeds for a
 * while, always in the same order; libFuzzer can drive the same function. */
#ifndef VIVARIUM_FUZZ_H
#define VIVARIUM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_seed {
	const char *bytes;
	size_t length;
};

#define FUZZ_SEED(text) { text, sizeof(text) - 1 }

extern const struct fuzz_seed fuzz_seeds[];
extern const size_t fuzz_seed_count;

/* Decode; aborts if something that must hold does not. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() with the place, whatever NDEBUG says. */
#define FUZZ_HOLDS(condition) \
	((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void fuzz_broken(const char *condition, const char *file, int line);

#endif
