/* session_archive.c - the native API's calls for a whole workspace. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/http/answer.h"
#include "common/log.h"
#include "fcgi-app/files/files_tar.h"
#include "fcgi-app/files/upload.h"
#include "fcgi-app/handlers.h"
#include "fcgi-app/http/ids.h"
#include "common/owned.h"
#include "fcgi-app/files/workspace.h"

/* Far above what a workspace holds: a bound on files that are nothing but holes. */
static const uint64_t archive_bytes_max = 1ull << 30;

static bool id_is_valid(struct exchange *exchange)
{
	if (id_valid(exchange->parameters[0]))
		return true;
	answer_field_problem(exchange, 422, "id", ID_EXPECTED);
	return false;
}

static int send_archive(void *context, int (*put)(void *, const void *, size_t), void *put_context)
{
	return files_tar_send(context, put, put_context);
}

static void free_archive(void *context)
{
	files_tar_free(context);
}

void session_archive_get(struct exchange *exchange)
{
	struct files_tar *tar;
	uint64_t length;
	int root, failed;

	if (!id_is_valid(exchange))
		return;
	root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = files_tar_open(root, &workspace_whole, archive_bytes_max, &tar, &length);
	if (failed)
		workspace_refuse(exchange, failed);
	else
		answer_stream(exchange, 200, "application/x-tar",
			      &(struct body_stream){ .length = length,
						     .send = send_archive,
						     .free = free_archive,
						     .context = tar });
}

/* The archive could not be taken in. */
static void refuse_spool(struct exchange *exchange, int failed)
{
	char detail[160];

	if (upload_refused(exchange, failed))
		return;
	log_error("event=spool_failed id=%s error=\"%s\"", exchange->id, strerror(-failed));
	answer_header_number(exchange, "Retry-After", 1);
	snprintf(detail, sizeof detail,
		 "there is no room for another archive now: all that are being taken in may have "
		 "%llu bytes (spool_bytes)",
		 (unsigned long long)exchange->config->spool_bytes);
	if (failed == -EDQUOT)
		answer_problem(exchange, 507, detail);
	else if (failed == -ENOSPC)
		answer_problem(exchange, 507, "the volume of the saved files is full");
	else
		answer_problem(exchange, 503, "the archive could not be taken in");
}

/* Files that are there and not in the archive stay. */
void session_archive_put(struct exchange *exchange)
{
	const char *encoding = exchange_variable(exchange, "HTTP_CONTENT_ENCODING");
	char error[FILES_TAR_ERROR_BYTES] = "", detail[FILES_TAR_ERROR_BYTES + 40];
	AUTO_SPOOL spool = { 0 };
	int failed;

	if (!id_is_valid(exchange))
		return;
	if (*encoding && strcmp(encoding, "identity") != 0) {
		answer_problem(exchange, 415, "a compressed archive is not taken");
		return;
	}
	AUTO_FD root = workspace_open(exchange, exchange->parameters[0], NULL);
	if (root < 0)
		return;
	failed = upload_spool(exchange, &spool);
	if (failed) {
		refuse_spool(exchange, failed);
		return;
	}
	failed = files_tar_extract(root, spool.bytes, spool.length, WORKSPACE_NODES_MAX, error);
	if (failed && *error) {
		snprintf(detail, sizeof detail, "the archive is refused: %s", error);
		answer_problem(exchange, 422, detail);
	} else if (failed == -ENOTDIR || failed == -EISDIR) {
		answer_problem(exchange, 409,
			       "a file of the archive is a folder in the workspace, or the other "
			       "way round");
	} else if (failed) {
		workspace_refuse(exchange, failed);
	} else {
		answer_nothing(exchange);
	}
}
