#define _GNU_SOURCE
#include "fcgi-app/files/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/files/files_open.h"
#include "fcgi-app/http/answer.h"

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

static int reserve(const struct exchange *exchange, uint64_t *ret_reserved)
{
	uint64_t wanted = exchange->body_expected == SIZE_MAX ? exchange->config->upload_bytes
							      : exchange->body_expected;

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
