#define _GNU_SOURCE
#include "fcgi-app/http/gateway.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/execution/executor_client.h"
#include "common/log.h"

enum {
	WAKE_EVERY_MS = 20,
	PAUSE_MS = 50,
	DRAIN_BYTES = 1 << 20,
	IDLE_MS = 5000, /* less than the web server keeps a connection */
};

enum worker_state { WORKER_WAITING, WORKER_BUSY, WORKER_ENDED };

struct worker {
	struct workers *pool;
	struct executor_client *executor;
	pthread_t thread;
	_Atomic int state;
};

struct workers {
	const struct config *config;
	int listen_fd;
	atomic_bool stopping;
	size_t count;
	struct worker list[];
};

static long fastcgi_read(void *context, void *bytes, size_t capacity)
{
	FCGX_Request *request = context;
	int got = FCGX_GetStr(bytes, (int)capacity, request->in);

	return FCGX_GetError(request->in) ? -EIO : got;
}

static int fastcgi_write(void *context, const void *bytes, size_t length)
{
	FCGX_Request *request = context;
	const char *at = bytes;

	while (length) {
		int part = length > 1 << 20 ? 1 << 20 : (int)length;

		if (FCGX_PutStr(at, part, request->out) != part)
			return -EPIPE;
		at += part;
		length -= (size_t)part;
	}
	return 0;
}

static void fastcgi_abandon(void *context)
{
	FCGX_Request *request = context;

	request->keepConnection = 0;
}

/* Read the body's end record, and what a refusal left unread. libfcgi forgets
 * what it has buffered when a request is finished, so on a kept connection the
 * next request would start in the middle of a record: seen as a 502 in one of
 * thirty requests with a body of 20 kB that nobody had read. */
static void drain(FCGX_Request *request)
{
	char bytes[4096];
	size_t left = DRAIN_BYTES;

	while (request->keepConnection && left) {
		int got = FCGX_GetStr(bytes, sizeof bytes, request->in);

		if (got < (int)sizeof bytes)
			return;
		left -= left < sizeof bytes ? left : sizeof bytes;
	}
	request->keepConnection = 0;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void serve(struct worker *worker, FCGX_Request *request)
{
	const struct gateway gateway = {
		.environment = request->envp,
		.hangup_fd = request->ipcFd,
		.context = request,
		.read = fastcgi_read,
		.write = fastcgi_write,
		.abandon = fastcgi_abandon,
	};

	exchange_serve(worker->pool->config, &gateway, worker->executor);
	drain(request);
	FCGX_Finish_r(request);
}

/* Who has had nothing to do for a while, or has no connection to be asked on any
 * more, keeps none to the executor either. */
static void rest(struct worker *worker, const FCGX_Request *request)
{
	struct pollfd kept = { .fd = request->ipcFd, .events = POLLIN | POLLRDHUP };

	if (request->ipcFd < 0 || poll(&kept, 1, IDLE_MS) != 1 || kept.revents != POLLIN)
		executor_client_rest(worker->executor);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct workers *pool = worker->pool;
	FCGX_Request request;

	FCGX_InitRequest(&request, pool->listen_fd, FCGI_FAIL_ACCEPT_ON_INTR);
	while (!atomic_load(&pool->stopping)) {
		rest(worker, &request);

		int failed = FCGX_Accept_r(&request);

		if (failed && !atomic_load(&pool->stopping) && failed != -EINTR) {
			log_error("event=accept_failed error=\"%s\"", strerror(-failed));
			pause_ms(PAUSE_MS); /* no descriptors, no memory: others give some back */
		}
		if (failed)
			continue;
		atomic_store(&worker->state, WORKER_BUSY);
		serve(worker, &request);
		atomic_store(&worker->state, WORKER_WAITING);
	}
	FCGX_Free(&request, 1);
	atomic_store(&worker->state, WORKER_ENDED);
	return NULL;
}

static void wake(int signal_number)
{
	(void)signal_number; /* to have interrupted a system call is all */
}

void workers_prepare_signals(void)
{
	struct sigaction action = { .sa_handler =
					    wake }; /* no SA_RESTART: accept and read give up */
	sigset_t waited;

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &waited, NULL);
}

static int start_thread(struct worker *worker, const pthread_attr_t *attributes)
{
	int failed = executor_client_new(worker->pool->config->executor, &worker->executor);

	if (failed)
		return failed;
	failed = -pthread_create(&worker->thread, attributes, work, worker);
	if (failed)
		executor_client_free(worker->executor);
	return failed;
}

int workers_start(const struct config *config, int listen_fd, struct workers **ret_workers)
{
	struct workers *pool = calloc(1, sizeof *pool + config->threads * sizeof *pool->list);
	pthread_attr_t attributes;
	int failed = 0;

	if (!pool)
		return -ENOMEM;
	if (FCGX_Init()) {
		free(pool);
		return -EIO;
	}
	pool->config = config;
	pool->listen_fd = listen_fd;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, config->stack_kib << 10);
	for (; !failed && pool->count < config->threads; pool->count += !failed) {
		pool->list[pool->count].pool = pool;
		failed = start_thread(&pool->list[pool->count], &attributes);
	}
	pthread_attr_destroy(&attributes);
	if (failed) {
		workers_stop(pool);
		return failed;
	}
	*ret_workers = pool;
	return 0;
}

/* Wake every thread that waits for a request; those that serve one are left
 * alone. A signal may come just before its thread blocks, so this is repeated
 * until the thread has ended. The number of threads that have not ended. */
static size_t wake_waiting(struct workers *pool)
{
	size_t running = 0;

	for (size_t i = 0; i < pool->count; i++) {
		int state = atomic_load(&pool->list[i].state);

		running += state != WORKER_ENDED;
		if (state == WORKER_WAITING)
			pthread_kill(pool->list[i].thread, SIGUSR1);
	}
	return running;
}

bool workers_stop(struct workers *pool)
{
	uint64_t waited_ms = 0;

	atomic_store(&pool->stopping, true);
	FCGX_ShutdownPending();
	while (wake_waiting(pool)) {
		if (waited_ms >= pool->config->stop_ms)
			return false;
		pause_ms(WAKE_EVERY_MS);
		waited_ms += WAKE_EVERY_MS;
	}
	for (size_t i = 0; i < pool->count; i++) {
		pthread_join(pool->list[i].thread, NULL);
		executor_client_free(pool->list[i].executor);
	}
	free(pool);
	return true;
}
