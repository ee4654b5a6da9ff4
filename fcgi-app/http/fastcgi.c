#define _GNU_SOURCE
#include "fcgi-app/http/fastcgi.h"

#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void fastcgi_init(struct fastcgi *fastcgi, int fd)
{
	fastcgi->fd = fd;
	fastcgi->input_at = fastcgi->input_end = 0;
	fastcgi->pairs = BUFFER_INIT(FASTCGI_HEAD_MAX);
	fastcgi->environment = NULL;
	fastcgi_next(fastcgi);
}

void fastcgi_next(struct fastcgi *fastcgi)
{
	fastcgi->id = 0;
	fastcgi->has_begun = fastcgi->head_done = fastcgi->body_done = false;
	fastcgi->keep = false;
	fastcgi->type = 0;
	fastcgi->content_left = fastcgi->padding_left = 0;
	fastcgi_free(fastcgi);
}

void fastcgi_free(struct fastcgi *fastcgi)
{
	buffer_reset(&fastcgi->pairs);
	free(fastcgi->environment);
	fastcgi->environment = NULL;
}

bool fastcgi_has_begun(const struct fastcgi *fastcgi)
{
	return fastcgi->has_begun || fastcgi->content_left ||
	       fastcgi->input_at < fastcgi->input_end;
}

/* ---- pairs ------------------------------------------------------------------ */

struct pair {
	const uint8_t *name, *value;
	size_t name_length, value_length;
};

/* A length of one byte, or of four with the highest bit set. */
static bool read_length(const uint8_t **at, const uint8_t *end, size_t *ret_length)
{
	if (*at == end)
		return false;
	if (**at < 0x80) {
		*ret_length = *(*at)++;
		return true;
	}
	if (end - *at < 4)
		return false;
	*ret_length = (size_t)((*at)[0] & 0x7f) << 24 | (size_t)(*at)[1] << 16 |
		      (size_t)(*at)[2] << 8 | (*at)[3];
	*at += 4;
	return true;
}

/* 1 with *ret_pair set, 0 at the end, -EPROTO. */
static int next_pair(const uint8_t **at, const uint8_t *end, struct pair *ret_pair)
{
	struct pair pair;

	if (*at == end)
		return 0;
	if (!read_length(at, end, &pair.name_length) || !read_length(at, end, &pair.value_length))
		return -EPROTO;
	size_t left = (size_t)(end - *at);
	if (pair.name_length > left || pair.value_length > left - pair.name_length)
		return -EPROTO;
	pair.name = *at;
	pair.value = *at + pair.name_length;
	*at = pair.value + pair.value_length;
	*ret_pair = pair;
	return 1;
}

static int check_pairs(const struct buffer *pairs, size_t *ret_count)
{
	const uint8_t *at = pairs->data;
	const uint8_t *end = at + pairs->length;
	size_t count = 0;
	struct pair pair;
	int got;

	while ((got = next_pair(&at, end, &pair)) > 0) {
		/* what comes after a NUL would be one thing to us and another to nginx */
		if (!pair.name_length || memchr(pair.name, '\0', pair.name_length) ||
		    memchr(pair.name, '=', pair.name_length) ||
		    memchr(pair.value, '\0', pair.value_length))
			return -EPROTO;
		if (++count > FASTCGI_VARIABLES_MAX)
			return -EMSGSIZE;
	}
	*ret_count = count;
	return got;
}

/* Pairs as variables, in one piece of memory. The bytes of a pair's two lengths, at least,
 * are not copied: there is room for the equals sign and the NUL. */
static int make_environment(struct fastcgi *fastcgi)
{
	const uint8_t *at = fastcgi->pairs.data;
	const uint8_t *end = at + fastcgi->pairs.length;
	size_t count = 0;
	struct pair pair;
	int failed = check_pairs(&fastcgi->pairs, &count);

	if (failed)
		return failed;
	char **variable = malloc((count + 1) * sizeof *variable + fastcgi->pairs.length);
	if (!variable)
		return -ENOMEM;
	char *text = (char *)(variable + count + 1);
	fastcgi->environment = variable;
	while (next_pair(&at, end, &pair) > 0) {
		*variable++ = text;
		text = mempcpy(text, pair.name, pair.name_length);
		*text++ = '=';
		text = mempcpy(text, pair.value, pair.value_length);
		*text++ = '\0';
	}
	*variable = NULL;
	buffer_reset(&fastcgi->pairs);
	return 0;
}

/* ---- records ---------------------------------------------------------------- */

static size_t input_left(const struct fastcgi *fastcgi)
{
	return fastcgi->input_end - fastcgi->input_at;
}

static const uint8_t *take_input(struct fastcgi *fastcgi, size_t length)
{
	const uint8_t *at = fastcgi->input + fastcgi->input_at;

	fastcgi->input_at += length;
	return at;
}

/* The header of the next record. 1, 0 if it is not all there, or -EPROTO. */
static int take_header(struct fastcgi *fastcgi)
{
	if (input_left(fastcgi) < FCGI_HEADER_LEN)
		return 0;

	const uint8_t *header = take_input(fastcgi, FCGI_HEADER_LEN);
	uint16_t id = (uint16_t)(header[2] << 8 | header[3]);

	if (header[0] != FCGI_VERSION_1 || id == 0 || (fastcgi->has_begun && id != fastcgi->id))
		return -EPROTO;
	fastcgi->type = header[1];
	fastcgi->id = id;
	fastcgi->content_left = (size_t)(header[4] << 8 | header[5]);
	fastcgi->padding_left = header[6];
	return 1;
}

/* The header of one of the head's records, which begins with BEGIN_REQUEST. */
static int take_head_header(struct fastcgi *fastcgi)
{
	int got = take_header(fastcgi);

	if (got <= 0)
		return got;
	if (fastcgi->type != (fastcgi->has_begun ? FCGI_PARAMS : FCGI_BEGIN_REQUEST))
		return -EPROTO;
	if (!fastcgi->has_begun && fastcgi->content_left != sizeof(FCGI_BeginRequestBody))
		return -EPROTO;
	if (fastcgi->has_begun && !fastcgi->content_left) {
		if (fastcgi->padding_left) /* nothing is padded here by anybody */
			return -EPROTO;
		fastcgi->head_done = true;
	}
	return 1;
}

static int take_begin(struct fastcgi *fastcgi)
{
	if (input_left(fastcgi) < sizeof(FCGI_BeginRequestBody))
		return 0;

	const uint8_t *body = take_input(fastcgi, sizeof(FCGI_BeginRequestBody));

	if ((body[0] << 8 | body[1]) != FCGI_RESPONDER)
		return -EPROTO;
	fastcgi->keep = body[2] & FCGI_KEEP_CONN;
	fastcgi->has_begun = true;
	fastcgi->content_left = 0;
	return 1;
}

/* Content and padding of PARAMS, as far as they are there. */
static int take_params(struct fastcgi *fastcgi)
{
	size_t left = input_left(fastcgi);
	size_t content = fastcgi->content_left < left ? fastcgi->content_left : left;
	size_t padding =
		fastcgi->padding_left < left - content ? fastcgi->padding_left : left - content;
	const uint8_t *bytes = take_input(fastcgi, content + padding);

	fastcgi->content_left -= content;
	fastcgi->padding_left -= padding;
	if (buffer_append(&fastcgi->pairs, bytes, content))
		return -EMSGSIZE;
	return fastcgi->content_left || fastcgi->padding_left ? 0 : 1;
}

int fastcgi_take_head(struct fastcgi *fastcgi)
{
	int got = 1;

	while (got > 0 && !fastcgi->head_done) {
		if (!fastcgi->content_left && !fastcgi->padding_left)
			got = take_head_header(fastcgi);
		else if (fastcgi->type == FCGI_BEGIN_REQUEST && fastcgi->content_left)
			got = take_begin(fastcgi);
		else
			got = take_params(fastcgi);
	}
	if (got <= 0)
		return got;
	got = make_environment(fastcgi);
	return got ? got : 1;
}

/* ---- the socket -------------------------------------------------------------- */

/* Room at the front, then bytes behind those that are there. How many, or -errno. */
static int receive(struct fastcgi *fastcgi, int flags)
{
	size_t left = input_left(fastcgi);
	ssize_t got;

	memmove(fastcgi->input, fastcgi->input + fastcgi->input_at, left);
	fastcgi->input_at = 0;
	fastcgi->input_end = left;
	do {
		got = recv(fastcgi->fd, fastcgi->input + left, sizeof fastcgi->input - left, flags);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	fastcgi->input_end += (size_t)got;
	return (int)got;
}

int fastcgi_receive_head(struct fastcgi *fastcgi)
{
	int done;

	while ((done = fastcgi_take_head(fastcgi)) == 0) {
		int got = receive(fastcgi, MSG_DONTWAIT);

		if (got == -EAGAIN)
			return 0;
		if (got < 0)
			return got;
	}
	return done;
}

/* The next record of STDIN that is not empty, or the end. 0 or -errno. */
static int next_body_record(struct fastcgi *fastcgi)
{
	while (!fastcgi->content_left && !fastcgi->body_done) {
		size_t left = input_left(fastcgi);
		size_t padding = fastcgi->padding_left < left ? fastcgi->padding_left : left;
		int got;

		take_input(fastcgi, padding);
		fastcgi->padding_left -= padding;
		got = fastcgi->padding_left ? 0 : take_header(fastcgi);
		if (got < 0)
			return got;
		if (got == 0) {
			got = receive(fastcgi, 0);
			if (got < 0)
				return got == -EAGAIN ? -ETIMEDOUT : got;
			continue;
		}
		if (fastcgi->type == FCGI_ABORT_REQUEST)
			return -ECANCELED;
		if (fastcgi->type != FCGI_STDIN)
			return -EPROTO;
		fastcgi->body_done = !fastcgi->content_left;
		if (fastcgi->body_done && fastcgi->padding_left)
			return -EPROTO;
	}
	return 0;
}

long fastcgi_read(struct fastcgi *fastcgi, void *bytes, size_t capacity)
{
	int failed = next_body_record(fastcgi);
	size_t most = fastcgi->content_left < capacity ? fastcgi->content_left : capacity;
	size_t left = input_left(fastcgi);
	ssize_t got;

	if (failed || fastcgi->body_done || !most)
		return failed;
	if (left) {
		got = (ssize_t)(left < most ? left : most);
		memcpy(bytes, take_input(fastcgi, (size_t)got), (size_t)got);
	} else {
		do {
			got = recv(fastcgi->fd, bytes, most, 0);
		} while (got < 0 && errno == EINTR);
		if (got <= 0)
			return got == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
	fastcgi->content_left -= (size_t)got;
	return got;
}
