/* config.h - the application's settings. */
#ifndef VIVARIUM_CONFIG_H
#define VIVARIUM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/settings.h"

/* What --version and the API say; the build defines it. */
#ifdef PACKAGE_VERSION
#define VIVARIUM_VERSION PACKAGE_VERSION
#else
#define VIVARIUM_VERSION "0.0.0"
#endif

struct config {
	char *socket;       /* path to listen at; empty: one request as plain CGI */
	char *socket_mode;  /* octal */
	char *socket_group; /* group of the socket file; empty: our own */
	char *user;         /* whom to become when started as root */
	char *executor;     /* unix:/path or /path */
	char *user_files;   /* directory of the saved files */
	char *environment;  /* "development" opens CORS to every origin */
	char *cors_origins;
	char *allowed_hosts;
	char *trusted_proxies;
	bool playground_restricted;
	uint64_t threads;
	uint64_t quick_threads; /* of these, left for calls that run no code */
	uint64_t client_threads; /* of these, one client's at most */
	uint64_t queue, client_queue, queue_ms;
	uint64_t streams, client_streams;
	uint64_t stack_kib;
	uint64_t body_bytes;
	uint64_t upload_bytes; /* of a file or an archive */
	uint64_t spool_bytes;  /* of all archives that are being taken in */
	uint64_t json_values;
	uint64_t code_bytes;
	uint64_t stdin_bytes;
	uint64_t evaluate_cases;
	uint64_t answer_ms; /* longest wait for the executor's answer */
	uint64_t stop_ms;   /* longest wait for running requests at the end */
	char *api_key;      /* opens the list of sessions; empty: loopback does */
	uint64_t saved_file_bytes;
	uint64_t saved_files;
};

/* What the command line asked for. */
enum config_action { CONFIG_RUN, CONFIG_CHECK, CONFIG_HELP, CONFIG_VERSION, CONFIG_SAMPLE };

/* 0 with *ret_action set, or -errno with the reason in error[]. After HELP, VERSION and
 * SAMPLE nothing has been read. */
int config_read(struct config *config, char **argv, enum config_action *ret_action,
		char error[SETTINGS_ERROR_BYTES]);

/* Print the options, or a file with every setting as a comment. */
void config_print_help(struct config *config);
void config_print_sample(struct config *config);

void config_free(struct config *config);

#endif
