/* run_limits.h - what one run, or one session, may use at most. */
#ifndef VIVARIUM_RUN_LIMITS_H
#define VIVARIUM_RUN_LIMITS_H

#include <stdint.h>

struct limits {
	uint64_t wall_ms;
	uint64_t cpu_ms;
	uint64_t memory_bytes;
	uint64_t output_bytes; /* of stdout and stderr together */
	uint64_t processes;    /* and threads */
	uint64_t open_files;   /* a process */
	uint64_t file_bytes;   /* a single file */
	uint64_t workspace_bytes; /* all that can be written: /workspace, /tmp, /dev/shm */
	uint64_t workspace_inodes;
};

struct session_limits {
	uint64_t idle_ms;     /* it lives so long without a request */
	uint64_t lifetime_ms; /* and in no case longer than that */
	uint64_t undo_depth;  /* cells that can be undone */
};

#endif
