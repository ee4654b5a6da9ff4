/* options.h - the executor's settings: defaults, file, environment, options. */
#ifndef VIVARIUM_OPTIONS_H
#define VIVARIUM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
	char *socket;
	char *peer_user;       /* who may connect besides root: a name or a uid */
	char *zygote_path;
	uint64_t zygotes;
	uint64_t zygote_forks;
	uint64_t zygote_age_ms;
	char *preloads;
	char *programs;
	char *root_paths;
	char *environments;
	char *environments_at_start;
	uint64_t environment_zygotes, environment_pool, environment_idle_ms;
	uint64_t pool;
	uint64_t one_shot_reuse;
	uint64_t running, running_per_client; /* 0: by the machine's size, see machine.h */
	uint64_t queue, queue_per_client;
	uint64_t queue_ms;
	uint64_t sessions;
	uint64_t sessions_per_client;
	uint64_t session_queue;
	uint64_t history_cells, history_bytes, histories_bytes, cell_output_bytes;
	uint64_t max_wall_ms, stream_output_bytes, leave_ms, input_ms;
	uint64_t displays, display_bytes;
	uint64_t evaluation_cases, evaluation_workers, evaluation_ms;
	uint64_t interrupt_grace_ms;
	uint64_t checkpoint_bytes;
	uint64_t cpu_percent;
	uint64_t idle_cpu_permille, idle_cpu_all_permille;
	uint64_t uid_base;
	uint64_t sandboxes;
	/* 0: by the machine's size */
	uint64_t sandboxes_memory_bytes, sandboxes_files_bytes, sandboxes_processes;
	uint64_t sandboxes_disk_bytes_per_s, sandboxes_disk_reads_per_s;
	char *cgroup_parent;
	char *cgroup_name;
	bool allow_no_cgroups;
	uint64_t shutdown_ms;
	char *log_level;
	const char *try_environment; /* the build to be tried, OPTIONS_TRY */
};

enum options_action { OPTIONS_SERVE, OPTIONS_CHECK, OPTIONS_DOCTOR, OPTIONS_TRY, OPTIONS_EXIT };

/* Fill `options` and the profiles from all sources. What to do next; or a
 * negative exit status after an error has been printed. OPTIONS_EXIT: what was
 * asked for (--help, --version, --sample-config) has been printed. */
int options_parse(char **argv, struct options *options);
void options_free(struct options *options);

/* The uid of a user given by name or number. 0 or -ENOENT. */
int options_find_uid(const char *user, uid_t *ret_uid);

#endif
