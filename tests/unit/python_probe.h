/* python_probe.h - run jobs in forks of one started interpreter, for the tests
 * of zygote/python/. Include after cmocka.h. */
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
#include "common/mailbox.h"
#include "common/owned.h"
#include "common/spawn.h"
#include "zygote/python/python.h"

enum { PROBE_REPORT_MAX = 2 << 20, PROBE_SECONDS_MAX = 30, PROBE_SHOWN_MAX = 64 << 10 };

/* What one job left behind. */
struct probe {
	bool returned; /* python_run() came back in the process that called it */
	int exit_code; /* as python_run() says */
	char *out, *err;
	size_t out_length, err_length;
	struct buffer report;
	char *left; /* what was printed to stdout and not flushed, at the end */
	char *told; /* a line for each note of the running job: "display TEXT", ... */
};

/* One job to run. */
struct probe_job {
	enum job_kind kind;
	const char *code;
	size_t length; /* 0: up to the NUL */
	const char *stdin_text;
	bool restricted, streaming;
	int interrupt_after_ms; /* SIGINT to itself from another process; 0: never */
	/* What is typed, line by line, each for one time that the job asks; then the end.
	 * "!" is an interrupt instead. NULL: nobody answers. */
	const char *typed;
	bool in_copy;           /* a copying fork goes on from here, as a woken checkpoint */
};

/* Shared with the fork. */
struct probe_memory {
	bool returned;
	int exit_code;
	size_t length;
	uint8_t report[PROBE_REPORT_MAX];
	size_t told_length;
	char told[PROBE_SHOWN_MAX];
	size_t left_length;
	char left[MAILBOX_TEXT_BYTES];
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

/* -- the executor's part in a running job ---------------------------------------------- */

static uint8_t *probe_mailbox;
static struct probe_memory *probe_running;
static const char *probe_typed;

static inline void probe_note(const char *word, unsigned flags)
{
	const struct mailbox *mailbox = (const struct mailbox *)probe_mailbox;
	struct probe_memory *memory = probe_running;
	size_t room = sizeof memory->told - memory->told_length;

	int wrote = snprintf(memory->told + memory->told_length, room, "%s%s %.*s\n", word,
			     flags & NOTE_PASSWORD ? " password" : "", (int)mailbox->report_length,
			     (const char *)probe_mailbox + MAILBOX_REPORT_OFFSET);
	memory->told_length += (size_t)wrote < room ? (size_t)wrote : room - 1;
}

/* One line, as sandbox_give_input() does it. */
static inline long probe_type(void)
{
	struct mailbox *mailbox = (struct mailbox *)probe_mailbox;
	const char *end = strchr(probe_typed, '\n');
	size_t length = end ? (size_t)(end + 1 - probe_typed) : strlen(probe_typed);

	if (*probe_typed == '!') {
		probe_typed++;
		raise(SIGINT);
		return -EINTR;
	}
	memcpy(probe_mailbox + MAILBOX_PAYLOAD_OFFSET, probe_typed, length);
	mailbox->payload_length = (uint32_t)length;
	probe_typed += length;
	return ORDER_INPUT | (length ? 0 : ORDER_EOF);
}

static inline long probe_ask(unsigned note, unsigned flags, bool again)
{
	if (!again)
		probe_note(note == NOTE_DISPLAY ? "display" : "input", flags);
	if (note == NOTE_DISPLAY)
		return ORDER_GO_ON;
	return probe_typed ? probe_type() : -ENOSYS;
}

static inline void probe_attach(uint8_t *mailbox)
{
	probe_mailbox = mailbox;
	python_attach(&(struct python_host){ .mailbox = (struct mailbox *)mailbox,
					     .ask = probe_ask });
}

/* What the executor takes after the end of a program. */
static inline void probe_take_left(const uint8_t *mailbox, struct probe_memory *memory)
{
	struct mailbox_text *text = (struct mailbox_text *)(mailbox + MAILBOX_TEXT_OFFSET);

	for (uint32_t at = text->tail; at != text->head; at++)
		memory->left[memory->left_length++] = (char)text->bytes[at % MAILBOX_TEXT_BYTES];
}

static inline void probe_run_one(const struct probe_job *job, uint64_t number, const int fds[3],
				 struct probe_memory *memory)
{
	struct buffer report = BUFFER_INIT(PROBE_REPORT_MAX);

	for (int fd = 0; fd < 3; fd++)
		dup2(fds[fd], fd);
	probe_interrupt_later(job->interrupt_after_ms);
	probe_running = memory;
	probe_typed = job->typed;
	memory->exit_code = python_run(
		&(struct job){ .kind = job->kind,
			       .code = job->code,
			       .code_length = job->length ? job->length : strlen(job->code),
			       .restricted = job->restricted,
			       .streaming = job->streaming,
			       .interactive = job->typed != NULL,
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
	probe->told = strndup(memory->told, memory->told_length);
	probe->left = strndup(memory->left, memory->left_length);
	assert_true(probe->told && probe->left);
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
	uint8_t *mailbox = mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mailbox != MAP_FAILED);
	python_before_fork();
	pid_t pid = fork();
	if (pid == 0) {
		python_after_fork_child();
		probe_attach(mailbox);
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
	probe_take_left(mailbox, &memory[count - 1]);
	munmap(mailbox, MAILBOX_BYTES);
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
	free(probe->left);
	free(probe->told);
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
	return python_start(&(struct python_options){
		.program = "/usr/bin/python3",
		.preloads = "json random tempfile threading logging asyncio inspect",
	});
}

#endif
