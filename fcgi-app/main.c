/* main.c - the FastCGI application.
 *
 * Theory of operation. One process, one user without privileges, many threads.
 * nginx connects to our UNIX socket and keeps its connections, which wait in one
 * epoll set (lanes.c). A thread that has read a request's head serves it if
 * its client has a place free, else it waits (workers.c); each thread has
 * one connection of its own to the executor (executor_client.c). A request goes
 * through exchange.c: host, path, route (routes.c), body, handler, answer, log line.
 * A handler is one call of one dialect: it parses with typed getters
 * (json_input.c), fills one struct exec_request, asks (exec_run.c), and renders the
 * struct outcome, at the end or as events while it comes about (events.c). No user
 * code runs here, and no name that a client sent reaches the file system except
 * through files.c.
 *
 * The main thread waits for SIGTERM, then stops the threads: those that wait
 * are woken, those that serve finish. Without a socket to listen at and with
 * REQUEST_METHOD in the environment, one request is served as plain CGI. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "fcgi-app/config.h"
#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/access.h"
#include "fcgi-app/http/gateway.h"
#include "fcgi-app/start.h"

static int die(const char *reason)
{
	fprintf(stderr, "fcgi-app: %s\n", reason);
	return 1;
}

/* What the settings' types and ranges cannot say. 0 or -errno. */
static int check_config(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	struct executor_client *client;
	int failed = executor_client_new(config->executor, &client);

	if (failed) {
		snprintf(error, SETTINGS_ERROR_BYTES,
			 "executor must be unix:/path of a socket, not \"%.100s\"",
			 config->executor);
		return failed;
	}
	executor_client_free(client);
	if (!access_addresses_valid(config->trusted_proxies)) {
		snprintf(error, SETTINGS_ERROR_BYTES,
			 "trusted_proxies must be addresses and networks such as 10.0.0.0/8, not "
			 "\"%.100s\"",
			 config->trusted_proxies);
		return -EINVAL;
	}
	if (config->quick_threads >= config->threads) {
		snprintf(error, SETTINGS_ERROR_BYTES, "quick_threads must be below threads");
		return -EINVAL;
	}
	if (config->upload_bytes > config->spool_bytes) {
		snprintf(error, SETTINGS_ERROR_BYTES, "upload_bytes must not be above spool_bytes");
		return -EINVAL;
	}
	if (config->code_bytes > config->body_bytes) {
		snprintf(error, SETTINGS_ERROR_BYTES, "code_bytes must not be above body_bytes");
		return -EINVAL;
	}
	return 0;
}

/* Before the first thread: what the main thread waits for goes to no other. */
static void block_signals(void)
{
	sigset_t waited;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &waited, NULL);
}

static void wait_for_stop(void)
{
	sigset_t waited;
	int received;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigwait(&waited, &received);
	log_info("event=stopping signal=%d", received);
}

/* Left by a process that was killed while it saved. */
static void clean_user_files(const struct config *config)
{
	AUTO_FD fd = open(config->user_files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		files_clean(fd);
	else
		log_warn("event=no_user_files path=%s error=\"%s\"", config->user_files,
			 strerror(errno));
}

static int serve_fastcgi(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	struct workers *workers;
	int listen_fd, failed;

	listen_fd = listener_open(config->socket, config->socket_mode, config->socket_group, error);
	if (listen_fd < 0)
		return die(error);
	if (privilege_drop(config->user, error))
		return die(error);
	clean_user_files(config);
	descriptors_allow();
	memory_give_back();
	block_signals();
	failed = workers_start(config, listen_fd, &workers);
	if (failed)
		return die(strerror(-failed));
	log_info("event=serving version=%s socket=%s executor=%s threads=%llu", VIVARIUM_VERSION,
		 config->socket, config->executor, (unsigned long long)config->threads);

	wait_for_stop();
	/* Our successor may listen at the same path at once. */
	unlink(config->socket);
	if (!workers_stop(workers)) {
		log_info("event=stopped complete=no");
		_exit(0); /* threads still use what exit() would tear down */
	}
	close(listen_fd);
	log_info("event=stopped complete=yes");
	return 0;
}

static int serve_cgi(const struct config *config, char error[SETTINGS_ERROR_BYTES])
{
	int failed;

	if (!getenv("REQUEST_METHOD"))
		return die("give --socket PATH to listen at, or run as a CGI program (try --help)");
	if (privilege_drop(config->user, error))
		return die(error);
	signal(SIGPIPE, SIG_IGN);
	failed = gateway_cgi_serve(config);
	return failed ? die(strerror(-failed)) : 0;
}

int main(int argc __attribute__((unused)), char **argv)
{
	char error[SETTINGS_ERROR_BYTES] = "";
	enum config_action action;
	struct config config = { 0 };
	int code = 0;

	if (config_read(&config, argv, &action, error))
		return die(error);
	if (action == CONFIG_HELP)
		config_print_help(&config);
	else if (action == CONFIG_SAMPLE)
		config_print_sample(&config);
	else if (action == CONFIG_VERSION)
		printf("fcgi-app %s\n", VIVARIUM_VERSION);
	else if (check_config(&config, error))
		code = die(error);
	else if (action == CONFIG_RUN)
		code = *config.socket ? serve_fastcgi(&config, error) : serve_cgi(&config, error);
	config_free(&config);
	return code;
}
