/* upload.h - bodies that may be larger than memory should hold. For routes with
 * ROUTE_BODY_LATER. */
#ifndef VIVARIUM_UPLOAD_H
#define VIVARIUM_UPLOAD_H

#include "fcgi-app/files/files.h"
#include "fcgi-app/http/exchange.h"

/* The body as it comes. */
struct upload {
	struct exchange *exchange;
	uint64_t length; /* so far */
	struct files_source source;
};

void upload_open(struct exchange *exchange, struct upload *ret_upload);

/* A whole body on the disk, mapped to be read. */
struct upload_spool {
	const void *bytes;
	size_t length;
	uint64_t reserved;
};

/* Read the body to a file without a name in user_files. 0, -EDQUOT where all spools
 * together take spool_bytes already, -EPIPE where the body ended early, or -errno. Freed
 * with upload_spool_free(). */
int upload_spool(struct exchange *exchange, struct upload_spool *ret_spool);
void upload_spool_free(struct upload_spool *spool);

#define AUTO_SPOOL __attribute__((cleanup(upload_spool_free))) struct upload_spool

/* The answer for a failure of the body or of its spool; false if it is neither's. */
bool upload_refused(struct exchange *exchange, int failed);

#endif
