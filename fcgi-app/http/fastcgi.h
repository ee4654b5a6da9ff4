/* fastcgi.h - one FastCGI connection, read without trust.
 *
 * Every record and every pair is checked here, and libfcgi gets to see none of them:
 * its decoder takes a pair's length for true and aborts where there is no memory for
 * it. A request's head (BEGIN_REQUEST and PARAMS) is collected as it comes, without
 * blocking; its body (STDIN) is read record by record. One request at a time. */
#ifndef VIVARIUM_FASTCGI_H
#define VIVARIUM_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum {
	FASTCGI_HEAD_MAX = 128 << 10, /* nginx sends one record of PARAMS, 64 KiB at most */
	FASTCGI_VARIABLES_MAX = 4096,
	FASTCGI_INPUT_BYTES = 8192,
};

struct fastcgi {
	int fd; /* not owned */
	uint16_t id;
	bool has_begun, head_done, body_done;
	bool keep; /* the peer may send another request */
	/* the record that is being read */
	uint8_t type;
	size_t content_left, padding_left;
	struct buffer pairs; /* the content of PARAMS, until the head is whole */
	char **environment;  /* of a head that is whole: NAME=value, NULL at the end */
	/* received and not looked at */
	size_t input_at, input_end;
	uint8_t input[FASTCGI_INPUT_BYTES];
};

/* For a fresh connection; fastcgi_next() between two requests of a kept one. */
void fastcgi_init(struct fastcgi *fastcgi, int fd);
void fastcgi_next(struct fastcgi *fastcgi);
void fastcgi_free(struct fastcgi *fastcgi);

/* Take what has arrived, without waiting. 1 when the head is whole and `environment`
 * holds it, 0 if more must come, -ECONNRESET at the connection's end, -EPROTO, -EMSGSIZE,
 * or another -errno. */
int fastcgi_receive_head(struct fastcgi *fastcgi);

/* The same with what is in `input` alone: 1, 0, -EPROTO, -EMSGSIZE or -ENOMEM. */
int fastcgi_take_head(struct fastcgi *fastcgi);

/* Has anything of a request come? */
bool fastcgi_has_begun(const struct fastcgi *fastcgi);

/* Bytes of the body, waiting for them as long as the socket's time-out says: how
 * many, 0 at the end, -ECANCELED if the peer aborts the request, or -errno. */
long fastcgi_read(struct fastcgi *fastcgi, void *bytes, size_t capacity);

#endif
