#define _GNU_SOURCE
#include "executor/zygotes/zygote_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/message.h"
#include "common/spawn.h"

enum {
	RESTART_MS = 500,
	ANSWER_MS = 8000, /* forking takes a few ms, on a loaded machine a few more */
	WARM_MS = 120000, /* imports may be many */
};

struct zygote {
	struct zygote_pool *zygote_pool;
	struct loop_source source; /* its socket */
	struct loop_timer timer;   /* restart after a death; replacement for age */
	struct loop_timer silence; /* it owes an answer, or has not become warm */
	pid_t pid;                 /* 0: none */
	bool warm;
	bool tired;       /* to be replaced once its answers are in */
	uint64_t pending; /* requests that it has not answered */
	uint64_t forks;
	uint64_t generation;
};

struct zygote_pool {
	struct zygote_pool_config config;
	size_t next;          /* whose turn it is */
	uint64_t cold_deaths; /* before any has become warm */
	bool ever_warm;
	struct zygote zygotes[];
};

static uint64_t generations; /* of all pools */

static void start(struct zygote *zygote);

/* How it died, or that we ended it. */
static int retire(struct zygote *zygote)
{
	uint64_t generation = zygote->generation;
	struct zygote_pool *zygote_pool = zygote->zygote_pool;
	int status = 0;

	loop_remove(zygote_pool->config.loop, &zygote->source);
	if (zygote->source.fd >= 0)
		close(zygote->source.fd); /* end of file: it ends */
	zygote->source.fd = -1;
	if (zygote->pid > 0) {
		(void)kill(zygote->pid, SIGKILL);
		while (waitpid(zygote->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	zygote->pid = 0;
	zygote->warm = false;
	zygote->tired = false;
	zygote->pending = 0;
	loop_clear_timer(zygote_pool->config.loop, &zygote->timer);
	loop_clear_timer(zygote_pool->config.loop, &zygote->silence);
	zygote_pool->config.retired(zygote_pool->config.context, generation);
	return status;
}

static void on_restart(struct loop_timer *timer)
{
	start(LOOP_OWNER(timer, struct zygote, timer));
}

static void replace_if_done(struct zygote *zygote)
{
	if (!zygote->tired || zygote->pending)
		return;
	log_info("zygote %llu of environment %s has forked %llu times; replacing it",
		 (unsigned long long)zygote->generation, zygote->zygote_pool->config.name,
		 (unsigned long long)zygote->forks);
	retire(zygote);
	start(zygote);
}

static void on_age(struct loop_timer *timer)
{
	struct zygote *zygote = LOOP_OWNER(timer, struct zygote, timer);

	zygote->tired = true;
	replace_if_done(zygote);
}

static void on_death(struct zygote *zygote)
{
	struct zygote_pool *zygote_pool = zygote->zygote_pool;

	uint64_t generation = zygote->generation;
	int status = retire(zygote);

	log_error("zygote %llu of environment %s has died: %s %d%s%s%s",
		  (unsigned long long)generation, zygote_pool->config.name,
		  WIFSIGNALED(status) ? "signal" : "exit status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		  WIFSIGNALED(status) ? " (" : "",
		  WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "",
		  WIFSIGNALED(status) ? ")" : "");
	if (loop_set_timer(zygote_pool->config.loop, &zygote->timer,
			   loop_now_us() + RESTART_MS * 1000, on_restart))
		log_error("zygote: no memory for a timer");
	if (!zygote_pool->ever_warm &&
	    ++zygote_pool->cold_deaths == zygote_pool->config.cold_deaths)
		zygote_pool->config.hopeless(zygote_pool->config.context);
}

/* One that hangs is as good as dead. */
static void on_silence(struct loop_timer *timer)
{
	struct zygote *zygote = LOOP_OWNER(timer, struct zygote, silence);

	log_error("zygote %llu does not answer", (unsigned long long)zygote->generation);
	on_death(zygote);
}

/* 0 ms: it owes nothing. */
static void watch_answers(struct zygote *zygote, uint64_t ms)
{
	struct loop *loop = zygote->zygote_pool->config.loop;

	loop_clear_timer(loop, &zygote->silence);
	if (ms)
		(void)loop_set_timer(loop, &zygote->silence, loop_now_us() + ms * 1000, on_silence);
}

static void on_warm(struct zygote *zygote)
{
	struct zygote_pool *zygote_pool = zygote->zygote_pool;

	zygote->warm = true;
	watch_answers(zygote, 0);
	zygote_pool->ever_warm = true;
	if (zygote_pool->config.max_age_ms)
		(void)loop_set_timer(zygote_pool->config.loop, &zygote->timer,
				     loop_now_us() + zygote_pool->config.max_age_ms * 1000, on_age);
	log_debug("zygote %llu of environment %s is warm", (unsigned long long)zygote->generation,
		  zygote_pool->config.name);
	zygote_pool->config.warm(zygote_pool->config.context);
}

static void on_packet(struct loop_source *source, uint32_t events)
{
	struct zygote *zygote = LOOP_OWNER(source, struct zygote, source);
	struct zygote_pool_config *config = &zygote->zygote_pool->config;
	struct spawn_reply reply;
	int fds[PACKET_FDS_MAX];
	size_t count = 0;
	int got = packet_receive(source->fd, &reply, sizeof reply, fds, &count);

	(void)events;
	if (got == -EAGAIN)
		return;
	if (got <= 0 || count > 1) {
		for (size_t i = 0; got > 0 && i < count; i++)
			close(fds[i]);
		on_death(zygote);
		return;
	}
	if (!reply.cookie) {
		on_warm(zygote);
		return;
	}
	config->spawned(config->context, reply.cookie, reply.pid, count ? fds[0] : -1);
	zygote->pending--;
	watch_answers(zygote, zygote->pending ? ANSWER_MS : 0);
	replace_if_done(zygote);
}

static int start_process(struct zygote *zygote)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	zygote->pid = fork();
	if (zygote->pid == 0)
		zygote_process_become(&zygote->zygote_pool->config.program, pair[1]);
	close(pair[1]);
	if (zygote->pid < 0) {
		close(pair[0]);
		zygote->pid = 0;
		return -errno;
	}
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return loop_add(zygote->zygote_pool->config.loop, &zygote->source, pair[0], EPOLLIN,
			on_packet);
}

static void start(struct zygote *zygote)
{
	zygote->generation = ++generations;
	zygote->forks = 0;
	zygote->source.fd = -1;
	int error = start_process(zygote);
	if (error) {
		log_error("zygote: cannot start: %s", strerror(-error));
		(void)loop_set_timer(zygote->zygote_pool->config.loop, &zygote->timer,
				     loop_now_us() + RESTART_MS * 1000, on_restart);
	} else {
		watch_answers(zygote, WARM_MS);
	}
}

int zygote_pool_new(const struct zygote_pool_config *config, struct zygote_pool **ret_zygote_pool)
{
	struct zygote_pool *zygote_pool =
		calloc(1, sizeof *zygote_pool + config->zygotes * sizeof *zygote_pool->zygotes);

	if (!zygote_pool)
		return -ENOMEM;
	zygote_pool->config = *config;
	for (size_t i = 0; i < config->zygotes; i++) {
		zygote_pool->zygotes[i].zygote_pool = zygote_pool;
		start(&zygote_pool->zygotes[i]);
	}
	*ret_zygote_pool = zygote_pool;
	return 0;
}

static struct zygote *next_warm(struct zygote_pool *zygote_pool)
{
	for (size_t i = 0; i < zygote_pool->config.zygotes; i++) {
		struct zygote *zygote = &zygote_pool->zygotes[zygote_pool->next];

		zygote_pool->next = (zygote_pool->next + 1) % zygote_pool->config.zygotes;
		if (zygote->warm && !zygote->tired)
			return zygote;
	}
	return NULL;
}

int zygote_pool_spawn(struct zygote_pool *zygote_pool, uint64_t cookie, int init_socket,
		      int mailbox_fd, uint64_t *ret_generation)
{
	struct zygote *zygote = next_warm(zygote_pool);
	int fds[] = { init_socket, mailbox_fd };

	if (!zygote)
		return -EAGAIN;
	struct spawn_request request = { .cookie = cookie };
	int error = packet_send(zygote->source.fd, &request, sizeof request, fds, 2);
	if (error)
		return error;
	zygote->pending++;
	zygote->forks++;
	zygote->tired |= zygote->forks >= zygote_pool->config.max_forks;
	*ret_generation = zygote->generation;
	if (zygote->pending == 1)
		watch_answers(zygote, ANSWER_MS);
	return 0;
}

size_t zygote_pool_warm_count(const struct zygote_pool *zygote_pool)
{
	size_t count = 0;

	for (size_t i = 0; i < zygote_pool->config.zygotes; i++)
		count += zygote_pool->zygotes[i].warm;
	return count;
}

void zygote_pool_free(struct zygote_pool *zygote_pool)
{
	if (!zygote_pool)
		return;
	for (size_t i = 0; i < zygote_pool->config.zygotes; i++)
		retire(&zygote_pool->zygotes[i]);
	free(zygote_pool);
}
