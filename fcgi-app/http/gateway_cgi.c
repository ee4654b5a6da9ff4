#include "fcgi-app/http/gateway.h"

#include <errno.h>
#include <unistd.h>

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/execution/executor_client.h"

extern char **environ;

static long cgi_read(void *context, void *bytes, size_t capacity)
{
	ssize_t got;

	(void)context;
	do {
		got = read(STDIN_FILENO, bytes, capacity);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static int cgi_write(void *context, const void *bytes, size_t length)
{
	const char *at = bytes;

	(void)context;
	while (length) {
		ssize_t wrote = write(STDOUT_FILENO, at, length);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			at += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

static int cgi_flush(void *context)
{
	(void)context;
	return 0;
}

static void cgi_abandon(void *context)
{
	(void)context; /* there is no next request to mix up with */
}

int gateway_cgi_serve(const struct config *config)
{
	const struct gateway gateway = {
		.environment = environ,
		.hangup_fd = -1,
		.read = cgi_read,
		.write = cgi_write,
		.flush = cgi_flush,
		.abandon = cgi_abandon,
	};
	struct executor_client *executor;
	int failed = executor_client_new(config->executor, &executor);

	if (failed)
		return failed;
	exchange_serve(config, &gateway, executor, NULL);
	executor_client_free(executor);
	return 0;
}
