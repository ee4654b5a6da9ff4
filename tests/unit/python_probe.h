/* python_probe.h - run jobs in forks of one started interpreter, for the tests
 * of executor/zygote/python_*.c. Include after cmocka.h. */
#ifndef VIVARIUM_PYTHON_PROBE_H
#define VIVARIUM_PYTHON_PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/owned.h"
#include "zygote/python/python.h"

enum { PROBE_REPORT_MAX = 2 << 20, PROBE_SECONDS_MAX = 30 };

/* What one job left behind. */
struct probe {
	bool returned; /* python_run() came back in the process that called it */
	int exit_code; /* as python_run() says */
	char *out, *err;
	size_t out_length, err_length;
	struct buffer report;
};

/* One job to run. */
struct probe_job {
	enum job_kind kind;
	const char *code;
	size_t length; /* 0: up to the NUL */
	const char *stdin_text;
	bool restricted, streaming;
	int interrupt_after_ms; /* SIGINT to itself from another process; 0: never */
	bool in_copy;           /* a copying fork goes on from here, as a woken checkpoint */
};

/* Shared with the fork. */
struct probe_memory {
	bool returned;
	int exit_code;
	size_t length;
	uint8_t report[PROBE_REPORT_MAX];
};

static inline int probe_file(const char *text)
{
	int fd = memfd_create("probe", MFD_CLOEXEC);

	assert_true(fd >= 0);
	if (text)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Standard input is a pipe, or nothing, as in the service. */
static inline int probe_input(const char *text)
{
	int ends[2];

	if (!text)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	return ends[0];
}

static inline char *probe_read(int fd, size_t *ret_length)
{
	struct stat info;

	assert_int_equal(fstat(fd, &info), 0);
	char *text = malloc((size_t)info.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)info.st_size, 0), info.st_size);
	text[info.st_size] = '\0';
	*ret_length = (size_t)info.st_size;
	return text;
}

static inline void probe_interrupt_later(int milliseconds)
{
	pid_t target = getpid();

	if (!milliseconds || fork() != 0)
		return;
	usleep((useconds_t)milliseconds * 1000);
	kill(target, SIGINT);
	_exit(0);
}

/* The process that ran the jobs before waits for the copy that runs the rest. */
static inline void probe_go_on_in_copy(void)
{
	python_before_fork();
	pid_t pid = fork();

	if (pid == 0) {
		python_after_fork_copy();
		return;
	}
	python_after_fork_parent();
	waitpid(pid, NULL, 0);
	_exit(0);
}

static inline void probe_run_one(const struct probe_job *job, uint64_t number, const int fds[3],
				 struct probe_memory *memory)
{
	struct buffer report = BUFFER_INIT(PROBE_REPORT_MAX);

	for (int fd = 0; fd < 3; fd++)
		dup2(fds[fd], fd);
	probe_interrupt_later(job->interrupt_after_ms);
	memory->exit_code = python_run(
		&(struct job){ .kind = job->kind,
			       .code = job->code,
			       .code_length = job->length ? job->length : strlen(job->code),
			       .restricted = job->restricted,
			       .streaming = job->streaming,
			       .execution = number },
		&report);
	memory->length = report.length;
	if (report.length)
		memcpy(memory->report, report.data, report.length);
	memory->returned = true;
}

static inline void probe_collect(struct probe *probe, const int fds[3],
				 const struct probe_memory *memory)
{
	probe->returned = memory->returned;
	probe->exit_code = memory->exit_code;
	probe->out = probe_read(fds[1], &probe->out_length);
	probe->err = probe_read(fds[2], &probe->err_length);
	probe->report = BUFFER_INIT(0);
	assert_int_equal(buffer_append(&probe->report, memory->report, memory->length), 0);
	/* whatever the program did, the report can be read */
	assert_int_equal(fields_check(probe->report.data, probe->report.length), 0);
}

/* Run the jobs one after the other in one fork; a script is finished as well.
 * Returns the fork's wait status. */
static inline int probe_run(const struct probe_job *jobs, size_t count, struct probe *ret_probes)
{
	struct probe_memory *memory = mmap(NULL, count * sizeof *memory, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[32][3];
	int status;

	assert_true(memory != MAP_FAILED && count <= 32);
	for (size_t i = 0; i < count; i++) {
		fds[i][0] = probe_input(jobs[i].stdin_text);
		fds[i][1] = probe_file(NULL);
		fds[i][2] = probe_file(NULL);
	}

	fflush(NULL);
	python_before_fork();
	pid_t pid = fork();
	if (pid == 0) {
		python_after_fork_child();
		alarm(PROBE_SECONDS_MAX);
		for (size_t i = 0; i < count; i++) {
			if (jobs[i].in_copy)
				probe_go_on_in_copy();
			probe_run_one(&jobs[i], i + 1, fds[i], &memory[i]);
		}
		_exit(jobs[0].kind == JOB_SCRIPT ? python_finish(memory[0].exit_code) : 0);
	}
	python_after_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < count; i++) {
		probe_collect(&ret_probes[i], fds[i], &memory[i]);
		for (int fd = 0; fd < 3; fd++)
			close(fds[i][fd]);
	}
	munmap(memory, count * sizeof *memory);
	return status;
}

static inline void probe_free(struct probe *probe)
{
	free(probe->out);
	free(probe->err);
	buffer_reset(&probe->report);
}

/* A field's text, which the caller frees; NULL if it is not there. */
static inline char *probe_text(const struct probe *probe, unsigned tag)
{
	struct field_view field;

	if (fields_find(probe->report.data, probe->report.length, tag, &field) != 1)
		return NULL;
	return field_text(&field);
}

static inline uint64_t probe_number(const struct probe *probe, unsigned tag)
{
	return fields_number(probe->report.data, probe->report.length, tag, UINT64_MAX);
}

static inline void assert_field(const struct probe *probe, unsigned tag, const char *expected)
{
	AUTO_FREE char *text = probe_text(probe, tag);

	if (!expected) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, expected);
}

static inline void assert_field_has(const struct probe *probe, unsigned tag, const char *part)
{
	AUTO_FREE char *text = probe_text(probe, tag);

	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in \"%s\"", part, text);
}

/* For cmocka_run_group_tests(): one interpreter for all tests of a program. */
static inline int probe_start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return python_start("json random tempfile threading logging asyncio inspect");
}

#endif
