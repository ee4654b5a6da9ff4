/* workers.c - threads that serve what comes to one socket.
 *
 * All threads wait in one epoll set for connections and heads of requests, so that an
 * idle connection costs no thread. Who has read a whole head serves it, if its kind
 * of work and its client have a place free (lanes.h); else it waits, and who ends a
 * request goes on with the next that waits. Calls that run no code need no place:
 * some threads are always left for them. A stream of events gets a thread of its own
 * for as long as it lasts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/gateway.h"
#include "fcgi-app/http/lanes.h"

enum {
	WAIT_EVERY_MS = 20,
	PAUSE_MS = 50,
	TICK_MS = 500,
	IDLE_MS = 5000,  /* then a thread keeps no connection to the executor */
	HEAD_MS = 15000, /* so long a head may take from its first byte on */
};

struct workers {
	const struct config *config;
	int listen_fd, wake_fd, timer_fd;
	struct connections connections;
	atomic_bool stopping;
	atomic_size_t running; /* threads that have not ended */
	pthread_attr_t attributes;
	pthread_mutex_t lock; /* for all below */
	struct lanes work, streams;
	bool ticking;
	pthread_t *list;
	size_t count;
};

static struct workers *pool_of(const struct connection *connection)
{
	return (struct workers *)((char *)connection->all - offsetof(struct workers, connections));
}

static struct connection *connection_of(struct lanes_ticket *ticket)
{
	return (struct connection *)((char *)ticket - offsetof(struct connection, ticket));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- ticks ------------------------------------------------------------------- */

/* Someone must look again after a while: heads that do not end, requests that wait. */
static void tick_later(struct workers *pool)
{
	const struct itimerspec later = { .it_value = { 0, TICK_MS * 1000000 } };

	if (!pool->ticking)
		timerfd_settime(pool->timer_fd, 0, &later, NULL);
	pool->ticking = true;
}

/* ---- who is served --------------------------------------------------------------- */

/* The place is free: whose turn is it? NULL: nobody's. */
static struct connection *leave_lane(struct connection *connection)
{
	struct workers *pool = pool_of(connection);
	struct lanes_ticket *next = NULL;

	if (!connection->lane)
		return NULL;
	pthread_mutex_lock(&pool->lock);
	next = lanes_leave(connection->lane, &connection->ticket);
	connection->lane = NULL;
	pthread_mutex_unlock(&pool->lock);
	return next ? connection_of(next) : NULL;
}

/* After its answer. */
static void go_on(struct connection *connection, bool kept)
{
	if (!kept) {
		connection_end(connection);
		return;
	}
	fastcgi_next(&connection->fastcgi);
	connection_arm(connection);
}

static void serve_refusal(const struct server *server, struct connection *connection)
{
	go_on(connection,
	      server_serve(server, &connection->fastcgi,
			   "too many requests of this address are being served; try again "
			   "shortly"));
}

/* Serve it, and then those that have waited for its place. */
static void serve_on(const struct server *server, struct connection *connection)
{
	while (connection) {
		bool kept = server_serve(server, &connection->fastcgi, NULL);
		struct connection *next = leave_lane(connection);

		go_on(connection, kept);
		connection = next;
	}
}

static void *stream(void *argument)
{
	struct connection *connection = argument;
	struct workers *pool = pool_of(connection);
	struct server server;
	bool kept = false;

	if (!server_open(pool->config, &server)) {
		kept = server_serve(&server, &connection->fastcgi, NULL);
		server_free(&server);
	}
	leave_lane(connection); /* none waits for a stream's place */
	go_on(connection, kept);
	atomic_fetch_sub(&pool->running, 1);
	return NULL;
}

static void start_stream(struct workers *pool, const struct server *server,
			 struct connection *connection)
{
	pthread_t thread;

	atomic_fetch_add(&pool->running, 1);
	if (!pthread_create(&thread, &pool->attributes, stream, connection)) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&pool->running, 1);
	leave_lane(connection);
	serve_refusal(server, connection);
}

/* A whole head has come: serve it now, or keep it until there is a place. */
static void admit(struct workers *pool, const struct server *server, struct connection *connection)
{
	char client[LANES_CLIENT_BYTES];
	enum exchange_lane lane = server_choose_lane(pool->config, &connection->fastcgi, client);
	enum lanes_answer answer = LANES_GO;

	connection_head_ends(connection);
	if (lane != EXCHANGE_QUICK) {
		pthread_mutex_lock(&pool->lock);
		connection->lane = lane == EXCHANGE_EVENTS ? &pool->streams : &pool->work;
		answer = lanes_enter(connection->lane, &connection->ticket, client, now_ms());
		if (answer == LANES_FULL)
			connection->lane = NULL;
		else if (answer == LANES_WAIT)
			tick_later(pool);
		pthread_mutex_unlock(&pool->lock);
	}
	if (answer == LANES_FULL)
		serve_refusal(server, connection);
	else if (answer == LANES_GO && lane == EXCHANGE_EVENTS)
		start_stream(pool, server, connection);
	else if (answer == LANES_GO)
		serve_on(server, connection);
}

/* ---- the threads ------------------------------------------------------------------ */

static void receive(struct workers *pool, const struct server *server,
		    struct connection *connection)
{
	int done = fastcgi_receive_head(&connection->fastcgi);

	if (done > 0) {
		admit(pool, server, connection);
		return;
	}
	if (done < 0) {
		if (done != -ECONNRESET)
			log_warn("event=connection_broken error=\"%s\"", strerror(-done));
		connection_end(connection);
		return;
	}
	if (fastcgi_has_begun(&connection->fastcgi)) {
		connection_head_begins(connection, now_ms());
		pthread_mutex_lock(&pool->lock);
		tick_later(pool);
		pthread_mutex_unlock(&pool->lock);
	}
	connection_arm(connection);
}

static void tick(struct workers *pool, const struct server *server)
{
	int64_t now = now_ms();
	struct lanes_ticket *expired;
	uint64_t count;
	bool more;

	(void)!read(pool->timer_fd, &count, sizeof count);
	do {
		pthread_mutex_lock(&pool->lock);
		expired = lanes_expire(&pool->work, now - (int64_t)pool->config->queue_ms);
		pool->ticking = false;
		more = connections_hang_up(&pool->connections, now - HEAD_MS);
		if (more || pool->work.waiting)
			tick_later(pool);
		pthread_mutex_unlock(&pool->lock);
		if (expired) {
			connection_of(expired)->lane = NULL;
			serve_refusal(server, connection_of(expired));
		}
	} while (expired);
}

static void accept_connection(struct workers *pool)
{
	int fd = accept4(pool->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		connection_add(&pool->connections, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_error("event=accept_failed error=\"%s\"", strerror(errno));
		pause_ms(PAUSE_MS); /* no descriptors, no memory: others give some back */
	}
}

static void handle_event(struct workers *pool, const struct server *server, void *of)
{
	if (of == &pool->listen_fd)
		accept_connection(pool);
	else if (of == &pool->timer_fd)
		tick(pool, server);
	else if (of != &pool->wake_fd) {
		CONNECTION_TAKEN(of);
		receive(pool, server, of);
	}
}

static void *work(void *argument)
{
	struct workers *pool = argument;
	struct server server;

	if (server_open(pool->config, &server)) {
		log_error("event=thread_failed error=\"no memory or descriptors\"");
		atomic_fetch_sub(&pool->running, 1);
		return NULL;
	}
	while (!atomic_load(&pool->stopping)) {
		struct epoll_event event;
		int got = epoll_wait(pool->connections.epoll_fd, &event, 1, IDLE_MS);

		if (got > 0)
			handle_event(pool, &server, event.data.ptr);
		else if (got == 0)
			executor_client_rest(server.executor);
	}
	server_free(&server);
	atomic_fetch_sub(&pool->running, 1);
	return NULL;
}

/* ---- start and stop ----------------------------------------------------------------- */

static int watch_own(struct workers *pool, int *fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

	if (*fd < 0 || epoll_ctl(pool->connections.epoll_fd, EPOLL_CTL_ADD, *fd, &event))
		return -errno;
	return 0;
}

static void free_pool(struct workers *pool)
{
	connections_free(&pool->connections);
	owned_close(&pool->wake_fd);
	owned_close(&pool->timer_fd);
	pthread_attr_destroy(&pool->attributes);
	pthread_mutex_destroy(&pool->lock);
	free(pool->list);
	free(pool);
}

static struct workers *make_pool(const struct config *config, int listen_fd)
{
	struct workers *pool = calloc(1, sizeof *pool);
	unsigned places = (unsigned)(config->threads - config->quick_threads);

	if (!pool)
		return NULL;
	pool->config = config;
	pool->listen_fd = listen_fd;
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pool->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	pool->list = calloc(config->threads, sizeof *pool->list);
	pool->work.limits =
		(struct lanes_limits){ places, (unsigned)config->client_threads,
				       (unsigned)config->queue, (unsigned)config->client_queue };
	pool->streams.limits = (struct lanes_limits){ (unsigned)config->streams,
						      (unsigned)config->client_streams, 0, 0 };
	pthread_mutex_init(&pool->lock, NULL);
	pthread_attr_init(&pool->attributes);
	pthread_attr_setstacksize(&pool->attributes, config->stack_kib << 10);
	return pool;
}

/* Joins who has ended, or will now. */
static void join_all(struct workers *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		pthread_join(pool->list[i], NULL);
}

static void wake_all(struct workers *pool)
{
	const uint64_t one = 1;

	atomic_store(&pool->stopping, true);
	(void)!write(pool->wake_fd, &one, sizeof one); /* stays readable: all see it */
}

int workers_start(const struct config *config, int listen_fd, struct workers **ret_workers)
{
	struct workers *pool = FCGX_Init() ? NULL : make_pool(config, listen_fd);
	int failed;

	if (!pool)
		return -ENOMEM;
	failed = connections_init(&pool->connections);
	failed = failed ? failed : pool->list ? 0 : -ENOMEM;
	failed = failed ? failed : watch_own(pool, &pool->wake_fd);
	failed = failed ? failed : watch_own(pool, &pool->timer_fd);
	failed = failed ? failed : watch_own(pool, &pool->listen_fd);
	while (!failed && pool->count < config->threads) {
		atomic_fetch_add(&pool->running, 1);
		failed = -pthread_create(&pool->list[pool->count], &pool->attributes, work, pool);
		if (failed)
			atomic_fetch_sub(&pool->running, 1);
		else
			pool->count++;
	}
	if (failed) {
		wake_all(pool);
		join_all(pool);
		free_pool(pool);
		return failed;
	}
	*ret_workers = pool;
	return 0;
}

bool workers_stop(struct workers *pool)
{
	uint64_t waited_ms = 0;

	wake_all(pool);
	while (atomic_load(&pool->running)) {
		if (waited_ms >= pool->config->stop_ms)
			return false;
		pause_ms(WAIT_EVERY_MS);
		waited_ms += WAIT_EVERY_MS;
	}
	join_all(pool);
	free_pool(pool);
	return true;
}
