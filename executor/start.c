/* start.c - what is done before the loop runs. What cannot be done ends the process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/owned.h"
#include "executor/executor.h"
#include "executor/machine.h"
#include "executor/run/profile.h"
#include "executor/selftest/selftest.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* since Linux 6.3 */
#endif

enum { DOCTOR_SLOTS = 16 };

static _Noreturn void die(const char *what, int error)
{
	log_error("cannot %s: %s", what, strerror(-error));
	exit(EXIT_UNSAFE);
}

/* -- setting up -------------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo): our cgroup's name must be the same for the daemon
 * that follows a killed one, and another for one with another socket. */
static void default_cgroup_name(const char *socket, char *ret_name, size_t size)
{
	uint32_t hash = 2166136261u;

	for (const char *c = socket; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	snprintf(ret_name, size, "vivarium-%08x", hash);
}

/* Before anything is touched that another executor may be using. */
static void be_the_only_one(const struct executor *executor)
{
	char message[INSTANCE_MESSAGE_BYTES];

	if (!instance_lock(executor->options.socket, executor->doctor_only ? ".doctor" : "",
			   message))
		return;
	log_error("%s", message);
	exit(EXIT_UNSAFE);
}

/* Not every host has the controller, and most programs never read from a disk. */
static void limit_reads(struct executor *executor)
{
	const struct options *options = &executor->options;
	const struct cgroup_reads most = { .bytes = options->sandboxes_disk_bytes_per_s,
					   .calls = options->sandboxes_disk_reads_per_s };
	int error = cgroup_tree_limit_reads(executor->cgroups, options->cgroup_parent, &most);

	if (error)
		log_warn("what sandboxes read from disks is not bounded: the io controller (v1: "
			 "blkio): %s",
			 strerror(-error));
}

/* A doctor works beside an executor that serves: in a group of its own, with the uids
 * that the other one takes last. */
static void open_cgroups(struct executor *executor, bool doctor)
{
	const struct options *options = &executor->options;
	char name[64], own[64], message[CGROUP_MESSAGE_BYTES];

	default_cgroup_name(options->socket, name, sizeof name);
	if (*options->cgroup_name)
		snprintf(name, sizeof name, "%s", options->cgroup_name);
	snprintf(own, sizeof own, "%s%.50s", doctor ? "doctor-" : "", name);
	if (!cgroup_tree_open(options->cgroup_parent, own, &executor->cgroups, message)) {
		const struct cgroup_limits limits = {
			.memory_bytes = options->sandboxes_memory_bytes,
			.processes = options->sandboxes_processes,
		};
		int error = cgroup_tree_limit(executor->cgroups, &limits);

		if (error)
			die("limit what all sandboxes together may use", error);
		limit_reads(executor);
		return;
	}
	if (!options->allow_no_cgroups) {
		log_error("%s; or serve without those limits: --allow-no-cgroups on", message);
		exit(EXIT_UNSAFE);
	}
	log_warn("%s; serving without limits on memory, processes and CPU", message);
	if (cgroup_tree_none(&executor->cgroups))
		die("remember that there are no cgroups", -ENOMEM);
}

/* Beside us in a build folder, or where it was installed. */
static int find_zygote(const struct options *options)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 8);

	if (*options->zygote_path)
		return open(options->zygote_path, O_RDONLY | O_CLOEXEC);
	if (length > 0) {
		path[length] = '\0';
		strcpy(strrchr(path, '/') + 1, "zygote");
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return open(ZYGOTE_PATH, O_RDONLY | O_CLOEXEC);
}

/* As a copy without a place: a program sees in its /proc/self/maps where what it runs in
 * came from, and our folders are nobody's business. A host may forbid that
 * (vm.memfd_noexec); then it is the file itself. */
static int open_zygote(const struct options *options)
{
	AUTO_FD file = find_zygote(options);
	AUTO_FD copy = memfd_create("zygote", MFD_CLOEXEC | MFD_EXEC);
	struct stat found;

	if (file < 0 || fstat(file, &found))
		return -1;
	if (copy < 0) /* before Linux 6.3 all of them can be executed */
		copy = memfd_create("zygote", MFD_CLOEXEC);
	for (off_t at = 0; copy >= 0 && at < found.st_size;)
		if (sendfile(copy, file, &at, (size_t)(found.st_size - at)) <= 0)
			return take_fd(&file);
	return take_fd(copy >= 0 && !fchmod(copy, 0555) ? &copy : &file);
}

static void use_machine(struct options *options)
{
	char message[MACHINE_MESSAGE_BYTES] = "their limit cannot be read";

	machine_settle(options);
	if (machine_raise_descriptors(options, message)) {
		log_error("open files: %s", message);
		exit(EXIT_UNSAFE);
	}
	machine_protect_daemon();
}

static void isolate_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("take a mount namespace (CAP_SYS_ADMIN is needed)", -errno);
}

static uint64_t deepest_undo(void)
{
	uint64_t deepest = 0;

	for (size_t i = 0; i < PROFILE_COUNT; i++)
		if (profiles[i].session.undo_depth > deepest)
			deepest = profiles[i].session.undo_depth;
	return deepest + 1;
}

static void make_parts(struct executor *executor)
{
	const struct options *options = &executor->options;
	int error = slots_new(options->sandboxes, &executor->slots);

	for (size_t i = DOCTOR_SLOTS; !error && executor->doctor_only && i < options->sandboxes;
	     i++)
		(void)slots_take(executor->slots);
	if (!error)
		error = offload_new(executor->loop, &executor->offload);
	if (!error)
		error = offload_new(executor->loop, &executor->slow_offload);
	if (!error)
		error = sandboxes_new(
			&(struct sandboxes_config){
				.loop = executor->loop,
				.cgroups = executor->cgroups,
				.slots = executor->slots,
				.offload = executor->offload,
				.slow_offload = executor->slow_offload,
				.uid_base = (uid_t)options->uid_base + SLOT_UIDS,
				.cpu_percent = options->cpu_percent,
				.idle_cpu_permille = options->idle_cpu_permille,
				.idle_cpu_all_permille = options->idle_cpu_all_permille,
				.files_bytes = options->sandboxes_files_bytes,
				.undo_depth_max = deepest_undo(),
				.limits = profiles[PROFILE_NATIVE].limits,
				.gone = daemon_on_gone,
				.context = executor },
			&executor->sandboxes);
	if (!error)
		error = admission_new(
			&(struct admission_config){ .loop = executor->loop,
						    .running = options->running,
						    .running_per_client =
							    options->running_per_client,
						    .queue = options->queue,
						    .queue_per_client = options->queue_per_client,
						    .queue_ms = options->queue_ms },
			&executor->admission);
	if (error)
		die("make the daemon's parts", error);
	executor->histories = (struct histories){ .most_cells = options->history_cells,
						  .most_bytes = options->histories_bytes,
						  .most_bytes_each = options->history_bytes };
}

static void make_environments(struct executor *executor)
{
	int program = open_zygote(&executor->options);

	if (program < 0)
		die("open the zygote program (setting zygote_path)", -errno);
	int error = environments_new(
		&(struct environments_config){ .loop = executor->loop,
					       .options = &executor->options,
					       .sandboxes = executor->sandboxes,
					       .slots = executor->slots,
					       .program = program,
					       .reads_door =
						       cgroup_tree_reads_door(executor->cgroups),
					       .available = daemon_on_available,
					       .broken = daemon_on_broken,
					       .context = executor },
		&executor->environments);
	if (error)
		die("make the environments", error);
}

/* Every wall is tried, then there is a service. */
static void begin_service(struct executor *executor)
{
	int error = environments_open(executor->environments);

	if (error)
		die("start the environments", error);
	error = doctor_begin(executor, daemon_on_examined, &executor->doctor);
	if (error)
		die("examine the sandbox", error);
}

/* The code comes on standard input. */
static void begin_trial(struct executor *executor)
{
	static char code[64 << 10];
	size_t length = fread(code, 1, sizeof code, stdin);
	struct environment *environment;
	int error = environments_try(executor->environments, executor->options.try_environment,
				     &environment);

	if (!error)
		error = trial_begin(executor, environment, code, length, daemon_on_tried,
				    &executor->trial);
	if (error)
		die("try the environment", error);
}

static void set_log_level(const char *name)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name, names[i])) {
			log_set_level((enum log_level)i);
			return;
		}
	}
	log_error("log_level must be error, warn, info or debug, not \"%s\"", name);
	exit(EXIT_CONFIG);
}

void daemon_check(struct executor *executor)
{
	set_log_level(executor->options.log_level);
	if (options_find_uid(executor->options.peer_user, &executor->peer)) {
		log_error("peer_user: there is no user \"%s\"", executor->options.peer_user);
		exit(EXIT_CONFIG);
	}
}

void daemon_start(struct executor *executor, enum options_action action)
{
	char message[CAPS_MESSAGE_BYTES];

	executor->doctor_only = action == OPTIONS_DOCTOR;
	use_machine(&executor->options);
	isolate_mounts();
	be_the_only_one(executor);
	open_cgroups(executor, executor->doctor_only);
	if (caps_keep_needed(message)) {
		log_error("%s", message);
		exit(EXIT_UNSAFE);
	}
	int error = loop_new(&executor->loop);
	if (error)
		die("make the event loop", error);
	error = daemon_watch_signals(executor);
	if (error)
		die("watch for signals", error);
	make_parts(executor);
	make_environments(executor);
	if (action == OPTIONS_TRY)
		begin_trial(executor);
	else
		begin_service(executor);
}

void daemon_tear_down(struct executor *executor)
{
	trial_free(executor->trial);
	environments_free(executor->environments);
	offload_free(executor->offload);
	offload_free(executor->slow_offload);
	admission_free(executor->admission);
	sandboxes_free(executor->sandboxes);
	slots_free(executor->slots);
	cgroup_tree_close(executor->cgroups);
	close(executor->signals.fd);
	loop_free(executor->loop);
	options_free(&executor->options);
}
