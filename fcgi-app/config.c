#define _GNU_SOURCE
#include "fcgi-app/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SETTINGS_MAX = 48 };

static struct settings describe(struct config *c, struct setting table[SETTINGS_MAX])
{
	const struct setting rows[] = {
		{ "socket", SETTING_TEXT, &c->socket, "", 0, 0, NULL,
		  "UNIX socket to listen at; without one, serve one CGI request" },
		{ "socket_mode", SETTING_TEXT, &c->socket_mode, "0660", 0, 0, NULL,
		  "octal mode of the socket file" },
		{ "socket_group", SETTING_TEXT, &c->socket_group, "", 0, 0, NULL,
		  "group of the socket file: the web server's" },
		{ "user", SETTING_TEXT, &c->user, "", 0, 0, NULL,
		  "user to become when started as root" },
		{ "executor", SETTING_TEXT, &c->executor, "unix:/run/vivarium/executor.sock", 0, 0,
		  "CODE_EXECUTOR_URL", "the executor's socket" },
		{ "user_files", SETTING_TEXT, &c->user_files, "/app/user_files", 0, 0,
		  "USER_FILES_VOLUME", "directory of the playground's saved files" },
		{ "environment", SETTING_TEXT, &c->environment, "production", 0, 0, "ENVIRONMENT",
		  "\"development\" allows every CORS origin" },
		{ "cors_origins", SETTING_TEXT, &c->cors_origins, "", 0, 0, "CORS_ORIGINS",
		  "origins that browsers may call from, separated by commas or spaces" },
		{ "allowed_hosts", SETTING_TEXT, &c->allowed_hosts, "", 0, 0, "ALLOWED_HOSTS",
		  "host names we answer to besides localhost and IP addresses; .example.org takes "
		  "subdomains, * all" },
		{ "trusted_proxies", SETTING_TEXT, &c->trusted_proxies, "", 0, 0, "TRUSTED_PROXIES",
		  "addresses and networks of reverse proxies whose X-Forwarded-For names the "
		  "client, for limits and rights" },
		{ "playground_restricted", SETTING_BOOL, &c->playground_restricted, "on", 0, 0,
		  "PLAYGROUND_RESTRICTED", "restricted operations in /api/execute" },
		{ "threads", SETTING_NUMBER, &c->threads, "128", 2, 400, NULL,
		  "requests served at once" },
		{ "quick_threads", SETTING_NUMBER, &c->quick_threads, "8", 1, 100, NULL,
		  "of these, left for calls that run no code" },
		{ "client_threads", SETTING_NUMBER, &c->client_threads, "64", 1, 400, NULL,
		  "of these, one client address's at most (IPv6: one /64's)" },
		{ "queue", SETTING_NUMBER, &c->queue, "1024", 0, 100000, NULL,
		  "requests that may wait for a thread" },
		{ "client_queue", SETTING_NUMBER, &c->client_queue, "512", 0, 100000, NULL,
		  "of these, one client address's at most" },
		{ "queue_ms", SETTING_NUMBER, &c->queue_ms, "15000", 1, 600000, NULL,
		  "how long a request may wait for a thread, ms" },
		{ "streams", SETTING_NUMBER, &c->streams, "512", 1, 10000, NULL,
		  "streams of events at once, each with a light thread of its own" },
		{ "client_streams", SETTING_NUMBER, &c->client_streams, "256", 1, 10000, NULL,
		  "of these, one client address's at most" },
		{ "stack_kib", SETTING_NUMBER, &c->stack_kib, "256", 128, 8192, NULL,
		  "stack of a thread, KiB" },
		{ "body_bytes", SETTING_NUMBER, &c->body_bytes, "4194304", 1024, 8388608, NULL,
		  "largest request body; nginx is to know it too (FCGI_APP_BODY_BYTES where it is "
		  "started) and lets 64 KiB more through, so that the refusal is ours" },
		{ "upload_bytes", SETTING_NUMBER, &c->upload_bytes, "67108864", 1024, 1ull << 40,
		  NULL,
		  "largest file or archive put into a workspace; nginx is to know it too, as "
		  "body_bytes" },
		{ "spool_bytes", SETTING_NUMBER, &c->spool_bytes, "536870912", 1024, 1ull << 40,
		  NULL, "archives that are being taken in at once, all together, in user_files" },
		{ "json_values", SETTING_NUMBER, &c->json_values, "100000", 100, 10000000, NULL,
		  "values in a JSON body" },
		{ "code_bytes", SETTING_NUMBER, &c->code_bytes, "1048576", 1, 2097152, NULL,
		  "largest program" },
		{ "stdin_bytes", SETTING_NUMBER, &c->stdin_bytes, "1048576", 0, 2097152, NULL,
		  "largest standard input" },
		{ "evaluate_cases", SETTING_NUMBER, &c->evaluate_cases, "1000", 1, 10000, NULL,
		  "most cases of one evaluation" },
		{ "answer_ms", SETTING_NUMBER, &c->answer_ms, "90000", 1000, 600000, NULL,
		  "longest wait for the executor's answer to one request" },
		{ "stop_ms", SETTING_NUMBER, &c->stop_ms, "35000", 0, 600000, NULL,
		  "longest wait for running requests after SIGTERM" },
		{ "api_key", SETTING_TEXT, &c->api_key, "", 0, 0, "API_KEY",
		  "key that lets its bearer list all sessions; without one, loopback may" },
		{ "saved_file_bytes", SETTING_NUMBER, &c->saved_file_bytes, "1048576", 1, 8388608,
		  NULL, "largest saved file" },
		{ "saved_files", SETTING_NUMBER, &c->saved_files, "1000", 1, 1000000, NULL,
		  "most saved files" },
	};

	_Static_assert(sizeof rows / sizeof *rows <= SETTINGS_MAX, "SETTINGS_MAX is too small");
	memcpy(table, rows, sizeof rows);
	return (struct settings){ .table = table,
				  .count = sizeof rows / sizeof *rows,
				  .environment_prefix = "FCGI_APP_" };
}

int config_read(struct config *config, char **argv, enum config_action *ret_action,
		char error[SETTINGS_ERROR_BYTES])
{
	const char *file = NULL;
	const struct settings_option own[] = {
		{ .name = "config", .value = &file },
		{ .name = "check-config", .action = CONFIG_CHECK },
		{ .name = "help", .action = CONFIG_HELP, .prints = true },
		{ .name = "sample-config", .action = CONFIG_SAMPLE, .prints = true },
		{ .name = "version", .action = CONFIG_VERSION, .prints = true },
		{ .name = NULL },
	};
	struct setting table[SETTINGS_MAX];
	struct settings settings = describe(config, table);
	int action, failed = settings_read(&settings, own, argv, &file, &action, error);

	*ret_action = (enum config_action)action;
	return failed;
}

void config_print_help(struct config *config)
{
	struct setting table[SETTINGS_MAX];
	struct settings settings = describe(config, table);

	puts("Usage: fcgi-app [--config FILE] [--NAME VALUE]...\n"
	     "\n"
	     "The FastCGI application of Vivarium: HTTP on one side, the executor on the other.\n"
	     "Each setting is also read from FILE (name = value) and from the environment\n"
	     "(FCGI_APP_NAME); options win over the environment, and that over the file.\n");
	settings_print_help(&settings, stdout);
	puts("  --config FILE                    read settings from FILE\n"
	     "  --check-config                   check the settings and end\n"
	     "  --sample-config                  print a file with every setting and its default\n"
	     "  --version                        print the version\n"
	     "  --help                           print this");
}

void config_print_sample(struct config *config)
{
	struct setting table[SETTINGS_MAX];
	struct settings settings = describe(config, table);

	settings_print_sample(&settings, stdout);
}

void config_free(struct config *config)
{
	struct setting table[SETTINGS_MAX];
	struct settings settings = describe(config, table);

	settings_free(&settings);
}
