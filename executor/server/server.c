#define _GNU_SOURCE
#include "executor/server/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/owned.h"

enum {
	BACKLOG = 512,
	ACCEPT_PAUSE_US = 100000, /* when descriptors or memory have run out */
	STOPPING_RETRY_MS = 1000,
};

/* -- what calls are told --------------------------------------------------------------- */

static void refuse(struct call *call, enum refusal refusal, unsigned field, const char *message,
		   uint64_t retry_after_ms)
{
	AUTO_BUFFER fields = BUFFER_INIT(4096);

	(void)fields_put_number(&fields, FIELD_REFUSAL, refusal);
	if (field)
		(void)fields_put_text(&fields, FIELD_FIELD_NAME, protocol_field_name(field));
	(void)fields_put_text(&fields, FIELD_MESSAGE, message);
	if (retry_after_ms)
		(void)fields_put_number(&fields, FIELD_RETRY_AFTER_MS, retry_after_ms);
	call_finish(call, FRAME_REFUSAL, &fields);
}

void call_refuse(struct call *call, enum refusal refusal, unsigned field, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	refuse(call, refusal, field, message, 0);
}

void call_refuse_busy(struct call *call, enum refusal refusal, const char *message,
		      uint64_t retry_after_ms)
{
	refuse(call, refusal, FIELD_NONE, message, retry_after_ms);
}

void call_request_id(const struct call *call, char *ret_id, size_t size)
{
	struct field_view field;

	snprintf(ret_id, size, "-");
	if (fields_find(call->fields, call->length, FIELD_REQUEST_ID, &field) == 1 && field.length)
		snprintf(ret_id, size, "%.*s", (int)(field.length < 128 ? field.length : 128),
			 (const char *)field.value);
}

/* -- the socket --------------------------------------------------------------------------- */

struct server {
	struct server_config config;
	struct loop_source listener;
	struct loop_timer accept_again;
	struct connections connections;
};

static bool peer_allowed(const struct server *server, int fd, struct ucred *ret_peer)
{
	socklen_t length = sizeof *ret_peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &length))
		return false;
	if (ret_peer->uid == 0 || ret_peer->uid == geteuid() ||
	    ret_peer->uid == server->config.peer)
		return true;
	log_warn("refused a connection from uid %u (pid %d)", ret_peer->uid, (int)ret_peer->pid);
	return false;
}

static void on_accept_again(struct loop_timer *timer)
{
	struct server *server = LOOP_OWNER(timer, struct server, accept_again);

	(void)loop_change(server->config.loop, &server->listener, EPOLLIN);
}

/* Who connects is still there, and would wake us again at once. */
static void pause_accepting(struct server *server, int error)
{
	if (loop_set_timer(server->config.loop, &server->accept_again,
			   loop_now_us() + ACCEPT_PAUSE_US, on_accept_again))
		return;
	(void)loop_change(server->config.loop, &server->listener, 0);
	log_error("cannot accept a connection: %s; trying again in %d ms", strerror(-error),
		  ACCEPT_PAUSE_US / 1000);
}

static void on_connection(struct loop_source *source, uint32_t events)
{
	struct server *server = LOOP_OWNER(source, struct server, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(server, -errno);
		return;
	}
	if (!peer_allowed(server, fd, &peer) || connection_open(&server->connections, fd, &peer))
		close(fd);
}

/* A socket file that nobody listens on is left from one that was killed. */
static int remove_stale(const struct sockaddr_un *address)
{
	AUTO_FD probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return -errno;
	if (!connect(probe, (const struct sockaddr *)address, sizeof *address))
		return -EADDRINUSE;
	if (unlink(address->sun_path) && errno != ENOENT)
		return -errno;
	return 0;
}

static int listen_at(const struct server_config *config, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(config->path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, config->path);
	int error = remove_stale(&address);
	if (error)
		return error;
	/* nobody between bind and chown */
	mode_t before = umask(0177);
	error = bind(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
	umask(before);
	if (error)
		return error;
	if (chown(config->path, config->peer, (gid_t)-1) || listen(fd, BACKLOG))
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void refuse_as_we_stop(struct call *call)
{
	call_refuse_busy(call, REFUSAL_STOPPING, "The executor is shutting down.",
			 STOPPING_RETRY_MS);
}

int server_new(const struct server_config *config, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof *server);
	int fd = -1;

	if (!server)
		return -ENOMEM;
	server->config = *config;
	server->connections.config = &server->config;
	server->connections.refuse = refuse_as_we_stop;
	int error = listen_at(config, &fd);
	if (!error)
		error = loop_add(config->loop, &server->listener, fd, EPOLLIN, on_connection);
	if (error) {
		owned_close(&fd);
		free(server);
		return error;
	}
	*ret_server = server;
	return 0;
}

void server_stop(struct server *server)
{
	if (server->connections.stopping)
		return;
	server->connections.stopping = true;
	loop_clear_timer(server->config.loop, &server->accept_again);
	loop_remove(server->config.loop, &server->listener);
	close(server->listener.fd);
	(void)unlink(server->config.path);
}

size_t server_calls(const struct server *server)
{
	return server->connections.calls;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	server_stop(server);
	connections_drop_all(&server->connections);
	free(server);
}

/* Refusing a call, and what it is called in the log. */
