#include "fcgi-app/http/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"

enum {
	SOCKET_SECONDS = 60, /* nginx buffers, so it takes and gives at once */
	CONNECTIONS_MAX = 4096,
};

int connections_init(struct connections *all)
{
	*all = (struct connections){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	pthread_mutex_init(&all->lock, NULL);
	return all->epoll_fd < 0 ? -errno : 0;
}

void connections_free(struct connections *all)
{
	while (all->first)
		connection_end(all->first);
	owned_close(&all->epoll_fd);
	pthread_mutex_destroy(&all->lock);
}

/* False if there are too many. */
static bool put_in(struct connections *all, struct connection *connection)
{
	bool room;

	pthread_mutex_lock(&all->lock);
	room = all->count < CONNECTIONS_MAX;
	if (room) {
		connection->next = all->first;
		connection->at = &all->first;
		if (connection->next)
			connection->next->at = &connection->next;
		all->first = connection;
		all->count++;
	}
	pthread_mutex_unlock(&all->lock);
	return room;
}

static void arm(struct connection *connection, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
				     .data.ptr = connection };

	CONNECTION_GIVEN(connection);
	if (epoll_ctl(connection->all->epoll_fd, operation, connection->fastcgi.fd, &event))
		connection_end(connection);
}

void connection_add(struct connections *all, int fd)
{
	const struct timeval patience = { .tv_sec = SOCKET_SECONDS };
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection)
		connection->all = all;
	if (!connection || !put_in(all, connection)) {
		log_warn("event=connection_refused connections=%zu", all->count);
		free(connection);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	fastcgi_init(&connection->fastcgi, fd);
	arm(connection, EPOLL_CTL_ADD);
}

void connection_arm(struct connection *connection)
{
	arm(connection, EPOLL_CTL_MOD);
}

void connection_end(struct connection *connection)
{
	struct connections *all = connection->all;

	pthread_mutex_lock(&all->lock);
	*connection->at = connection->next;
	if (connection->next)
		connection->next->at = connection->at;
	all->count--;
	pthread_mutex_unlock(&all->lock);
	close(connection->fastcgi.fd);
	fastcgi_free(&connection->fastcgi);
	free(connection);
}

void connection_head_begins(struct connection *connection, int64_t now_ms)
{
	pthread_mutex_lock(&connection->all->lock);
	if (!connection->since_ms)
		connection->since_ms = now_ms;
	pthread_mutex_unlock(&connection->all->lock);
}

void connection_head_ends(struct connection *connection)
{
	pthread_mutex_lock(&connection->all->lock);
	connection->since_ms = 0;
	pthread_mutex_unlock(&connection->all->lock);
}

bool connections_hang_up(struct connections *all, int64_t before_ms)
{
	bool any = false;

	pthread_mutex_lock(&all->lock);
	for (struct connection *each = all->first; each; each = each->next) {
		if (each->since_ms && each->since_ms < before_ms)
			shutdown(each->fastcgi.fd, SHUT_RDWR);
		any |= each->since_ms != 0;
	}
	pthread_mutex_unlock(&all->lock);
	return any;
}
