/* spawn - how long does a program take, started and waited for as cheaply as possible?
 *
 *   spawn SECONDS AT_ONCE PROGRAM [ARGUMENT...]
 *
 * Keeps AT_ONCE of them running for that long and prints the microseconds of each,
 * one a line. Standard output of the program is discarded. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 256 };

extern char **environ;

struct running {
	pid_t pid;
	int64_t began_us;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void start(struct running *slot, char **argv, const posix_spawn_file_actions_t *actions)
{
	slot->began_us = now_us();
	int failed = posix_spawnp(&slot->pid, argv[0], actions, NULL, argv, environ);
	if (failed) {
		fprintf(stderr, "spawn: %s: %s\n", argv[0], strerror(failed));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct running slots[AT_ONCE_MAX];
	posix_spawn_file_actions_t actions;
	int seconds = argc > 3 ? atoi(argv[1]) : 0;
	int at_once = argc > 3 ? atoi(argv[2]) : 0;
	int running = 0;

	if (seconds < 1 || at_once < 1 || at_once > AT_ONCE_MAX) {
		fprintf(stderr, "usage: spawn SECONDS AT_ONCE PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);

	int64_t end_us = now_us() + seconds * INT64_C(1000000);
	for (; running < at_once; running++)
		start(&slots[running], argv + 3, &actions);
	while (running) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);
		int64_t ended_us = now_us();
		struct running *slot = slots;

		if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
			fprintf(stderr, "spawn: a run of %s failed\n", argv[3]);
			return 1;
		}
		while (slot->pid != pid)
			slot++;
		printf("%lld\n", (long long)(ended_us - slot->began_us));
		slot->pid = 0;
		if (ended_us < end_us)
			start(slot, argv + 3, &actions);
		else
			running--;
	}
	return 0;
}
