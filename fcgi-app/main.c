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
#include <stdio.h>

#include "fcgi-app/config.h"
#include "fcgi-app/start.h"

int main(int argc __attribute__((unused)), char **argv)
{
	char error[SETTINGS_ERROR_BYTES] = "";
	enum config_action action;
	struct config config = { 0 };
	int code = 0;

	if (config_read(&config, argv, &action, error))
		code = start_failed(error);
	else if (action == CONFIG_HELP)
		config_print_help(&config);
	else if (action == CONFIG_SAMPLE)
		config_print_sample(&config);
	else if (action == CONFIG_VERSION)
		printf("fcgi-app %s\n", VIVARIUM_VERSION);
	else if (start_check(&config, error))
		code = start_failed(error);
	else if (action == CONFIG_RUN)
		code = *config.socket ? start_fastcgi(&config, error) : start_cgi(&config, error);
	config_free(&config);
	return code;
}
