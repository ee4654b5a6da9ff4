/* request.c - what native requests have in common. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/native/native.h"

/* ---- the session that a request names --------------------------------------- */

bool session_id_valid(struct exchange *exchange)
{
	if (id_valid(exchange->parameters[0]))
		return true;
	answer_field_problem(exchange, 422, "id", ID_EXPECTED);
	return false;
}

/* The operator may look at and end what the list shows of the strict dialect. */
static bool is_operators(const struct exchange *exchange, enum frame_type call)
{
	return id_is_strict(exchange->parameters[0]) &&
	       exchange->caller.operator&&(call == FRAME_SESSION_SHOW ||
					   call == FRAME_SESSION_DELETE);
}

bool session_request(struct exchange *exchange, enum frame_type call,
		     struct exec_request *ret_request)
{
	if (!is_operators(exchange, call) && !session_id_valid(exchange))
		return false;
	*ret_request = run_request(exchange, call, NULL);
	ret_request->session_id = exchange->parameters[0];
	return true;
}

/* ---- limits --------------------------------------------------------------------- */

enum {
	TIMEOUT_MOST_S = 30,
	LONG_TIMEOUT_MOST_S = 24 * 3600,
	MEMORY_MOST_MB = 65536,
	IDLE_MOST_S = 7 * 24 * 3600
};

static const struct limit_name {
	enum field limit;
	const char *whole; /* with its place, for refusals */
	enum limits_of of;
} names[] = {
	{ FIELD_WALL_MS, "limits.wall_ms", LIMITS_OF_RUN },
	{ FIELD_CPU_MS, "limits.cpu_ms", LIMITS_OF_RUN },
	{ FIELD_MEMORY_BYTES, "limits.memory_bytes", LIMITS_OF_RUN },
	{ FIELD_OUTPUT_BYTES, "limits.output_bytes", LIMITS_OF_RUN },
	{ FIELD_PROCESSES, "limits.processes", LIMITS_OF_RUN },
	{ FIELD_OPEN_FILES, "limits.open_files", LIMITS_OF_RUN },
	{ FIELD_FILE_BYTES, "limits.file_bytes", LIMITS_OF_RUN },
	{ FIELD_WORKSPACE_BYTES, "limits.workspace_bytes", LIMITS_OF_RUN },
	{ FIELD_WORKSPACE_INODES, "limits.workspace_inodes", LIMITS_OF_RUN },
	{ FIELD_IDLE_MS, "limits.idle_ms", LIMITS_OF_SESSION },
	{ FIELD_LIFETIME_MS, "limits.lifetime_ms", LIMITS_OF_SESSION },
	{ FIELD_UNDO_DEPTH, "limits.undo_depth", LIMITS_OF_SESSION },
};

enum { NAMES = sizeof names / sizeof *names };

/* The input puts the place in front by itself. */
static const char *name_inside(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

static void set(struct input *input, struct exec_request *request, enum field limit,
		struct exec_limit value)
{
	struct exec_limit *place = &request->limits[limit - FIELD_WALL_MS];
	char message[96];

	if (place->given) {
		snprintf(message, sizeof message, "is the same as %s: give one of them",
			 place->name);
		input_wrong(input, name_inside(value.name), message);
		return;
	}
	*place = value;
}

static void read_one(struct input *input, struct exec_request *request,
		     const struct limit_name *name)
{
	size_t wrong = input->wrong;
	unsigned least = name->limit == FIELD_UNDO_DEPTH ? 0 : 1; /* no undo is a sensible wish */
	uint64_t value = input_whole(input, name_inside(name->whole), least, UINT64_MAX);

	if (input->wrong == wrong)
		set(input, request, name->limit,
		    (struct exec_limit){
			    .given = true, .value = value, .name = name->whole, .unit = 1 });
}

void limits_read(struct input *input, enum limits_of of, struct exec_request *request)
{
	struct text limits = input_object(input, "limits");

	if (!limits.data)
		return;
	input_enter(input, limits, "limits");
	for (size_t i = 0; i < NAMES; i++) {
		const char *name = name_inside(names[i].whole);

		if (!input_has(input, name))
			continue;
		if (names[i].of > of)
			input_wrong(input, name, "is a limit of sessions");
		else
			read_one(input, request, &names[i]);
	}
	input_refuse_unknown(input);
	input_leave(input);
}

/* A limit with a name of its own: `value` in the protocol's unit, 0 if absent. */
static void set_named(struct input *input, struct exec_request *request, enum field limit,
		      const char *name, unsigned unit, uint64_t value)
{
	if (value)
		set(input, request, limit,
		    (struct exec_limit){
			    .given = true, .value = value, .name = name, .unit = unit });
}

void limits_read_timeout(struct input *input, struct exec_request *request, bool long_run)
{
	unsigned most_s = long_run ? LONG_TIMEOUT_MOST_S : TIMEOUT_MOST_S;

	set_named(input, request, FIELD_WALL_MS, "timeout", 1000,
		  input_seconds_ms(input, "timeout", 1, most_s));
}

void limits_read_memory(struct input *input, struct exec_request *request)
{
	set_named(input, request, FIELD_MEMORY_BYTES, "memory_mb", 1 << 20,
		  input_whole(input, "memory_mb", 1, MEMORY_MOST_MB) << 20);
}

void limits_read_idle(struct input *input, struct exec_request *request)
{
	set_named(input, request, FIELD_IDLE_MS, "idle_timeout", 1000,
		  input_seconds_ms(input, "idle_timeout", 1, IDLE_MOST_S));
}

/* ---- large bodies ---------------------------------------------------------------- */

static _Atomic uint64_t spooled; /* what is reserved by all */

/* The end that nginx promised, or an error. */
static long read_body(void *context, void *bytes, size_t capacity)
{
	struct upload *upload = context;
	const struct gateway *gateway = upload->exchange->gateway;
	size_t expected = upload->exchange->body_expected;
	long got = gateway->read(gateway->context, bytes, capacity);

	if (got < 0)
		return -EPIPE;
	upload->length += (uint64_t)got;
	return got == 0 && expected != SIZE_MAX && upload->length < expected ? -EPIPE : got;
}

void upload_open(struct exchange *exchange, struct upload *ret_upload)
{
	*ret_upload = (struct upload){ .exchange = exchange,
				       .source = { .read = read_body,
						   .context = ret_upload,
						   .most = exchange->config->upload_bytes } };
}

uint64_t upload_most(const struct exchange *exchange)
{
	uint64_t most = exchange->config->upload_bytes;

	return exchange->body_expected < most ? exchange->body_expected : most;
}

static int reserve(const struct exchange *exchange, uint64_t *ret_reserved)
{
	uint64_t wanted = upload_most(exchange);

	if (atomic_fetch_add(&spooled, wanted) + wanted > exchange->config->spool_bytes) {
		atomic_fetch_sub(&spooled, wanted);
		return -EDQUOT;
	}
	*ret_reserved = wanted;
	return 0;
}

/* A file that goes with its descriptor. */
static int open_nameless(const char *folder)
{
	AUTO_FD folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[FILES_TEMPORARY_BYTES];
	int fd, failed;

	if (folder_fd < 0)
		return -errno;
	failed = files_make_temporary_name(name);
	if (failed)
		return failed;
	fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(folder_fd, name, 0);
	return fd;
}

int upload_spool(struct exchange *exchange, struct upload_spool *ret_spool)
{
	struct upload upload;
	void *bytes = NULL;
	int failed = reserve(exchange, &ret_spool->reserved);

	if (failed)
		return failed;
	AUTO_FD fd = open_nameless(exchange->config->user_files);
	if (fd < 0)
		return fd;
	upload_open(exchange, &upload);
	failed = files_write_from(fd, &upload.source);
	if (!failed && upload.length) {
		bytes = mmap(NULL, upload.length, PROT_READ, MAP_PRIVATE, fd, 0);
		failed = bytes == MAP_FAILED ? -errno : 0;
	}
	if (failed)
		return failed;
	ret_spool->bytes = bytes;
	ret_spool->length = upload.length;
	return 0;
}

void upload_spool_free(struct upload_spool *spool)
{
	if (spool->length)
		munmap((void *)spool->bytes, spool->length);
	atomic_fetch_sub(&spooled, spool->reserved);
	*spool = (struct upload_spool){ 0 };
}

bool upload_refused(struct exchange *exchange, int failed)
{
	char detail[128];

	switch (failed) {
	case -EPIPE:
		answer_problem(exchange, 400, "the body ended early");
		return true;
	case -EFBIG:
		snprintf(detail, sizeof detail,
			 "the body is larger than the %llu bytes that are accepted",
			 (unsigned long long)exchange->config->upload_bytes);
		answer_problem(exchange, 413, detail);
		return true;
	default:
		return false;
	}
}
