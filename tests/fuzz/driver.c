/* driver.c - mutate the seeds and decode, with the sanitizers watching.
 *
 * Runs 20,000 inputs, or for FUZZ_SECONDS seconds. Arguments are files that are
 * decoded as they are, to look at an input that failed: it is in fuzz-failed-NAME
 * of the current folder. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INPUTS = 20000, LONGEST = 4096 };

static uint8_t input[LONGEST];
static size_t input_length;
static char failed_path[256];
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

void fuzz_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

static void keep_input(int number)
{
	int fd = open(failed_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, input, input_length) >= 0)
		close(fd);
	signal(number, SIG_DFL);
	raise(number);
}

/* A sanitizer ends the program by itself: keep its input as well. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void keep_input_at_death(void)
{
	keep_input(SIGABRT);
}

static uint64_t random_number(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void insert(size_t at, const void *bytes, size_t length)
{
	if (input_length + length > LONGEST)
		return;
	memmove(input + at + length, input + at, input_length - at);
	memcpy(input + at, bytes, length);
	input_length += length;
}

/* One small damage: what length fields, quotes and escapes are sensitive to. */
static void mutate(void)
{
	static const char *const words[] = { "\"",       "\\u", "\\",   "{",
					     "[",        "]",   "%2f",  "%00",
					     "%",        "..",  "/",    "\xed\xa0\x80",
					     "\xf0\x9f", "\0",  "=",    "&",
					     "1e999",    "-",   "null", "\xff\xff\xff\xff",
					     "\n" };
	size_t at = random_number(input_length + 1);
	size_t length = 1 + random_number(8);
	uint8_t byte = (uint8_t)random_number(256);
	const struct fuzz_seed *other = &fuzz_seeds[random_number(fuzz_seed_count)];
	const char *word = words[random_number(sizeof words / sizeof *words)];

	switch (random_number(7)) {
	case 0: /* change a bit */
		if (at < input_length)
			input[at] ^= (uint8_t)(1 << random_number(8));
		break;
	case 1: /* change a byte to one at an edge */
		if (at < input_length)
			input[at] = "\x00\x01\x7f\x80\xff\x20\x0a\x22"[random_number(8)];
		break;
	case 2: /* take some out */
		if (at + length <= input_length) {
			memmove(input + at, input + at + length, input_length - at - length);
			input_length -= length;
		}
		break;
	case 3:
		insert(at, &byte, 1);
		break;
	case 4:
		insert(at, word, strlen(word) ? strlen(word) : 1);
		break;
	case 5: /* cut the end off */
		input_length = at;
		break;
	case 6: /* join with another seed */
		if (other->length <= LONGEST)
			insert(at, other->bytes, other->length);
		break;
	}
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(1);
	}
	input_length = fread(input, 1, LONGEST, file);
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *seconds = getenv("FUZZ_SECONDS");
	time_t end = time(NULL) + (seconds ? atoi(seconds) : 0);
	unsigned long done = 0;

	for (int i = 1; i < argc; i++) {
		read_file(argv[i]);
		LLVMFuzzerTestOneInput(input, input_length);
	}
	if (argc > 1)
		return 0;

	snprintf(failed_path, sizeof failed_path, "fuzz-failed-%s", name);
	signal(SIGABRT, keep_input);
	signal(SIGSEGV, keep_input);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_input_at_death);
	printf("1..1\n");
	fflush(stdout);
	while (seconds ? time(NULL) < end : done < INPUTS) {
		const struct fuzz_seed *seed = &fuzz_seeds[done % fuzz_seed_count];

		input_length = seed->length < LONGEST ? seed->length : LONGEST;
		memcpy(input, seed->bytes, input_length);
		for (uint64_t n = done < fuzz_seed_count ? 0 : 1 + random_number(8); n; n--)
			mutate();
		/* An exact copy, so that a byte too far is seen. */
		uint8_t *copy = malloc(input_length ? input_length : 1);
		if (!copy)
			return 1;
		memcpy(copy, input, input_length);
		LLVMFuzzerTestOneInput(copy, input_length);
		free(copy);
		done++;
	}
	printf("ok 1 - %lu inputs\n", done);
	return 0;
}
