#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "owned.h"
#include "packet.h"
#include "sandbox_parts.h"

enum {
	BIRTH_MS = 10000,  /* a loaded machine, with zygotes still importing */
	FREEZE_MS = 2000,  /* hooks of the program run before a fork: they may hang */
	BURY_MS = 2,
	/* What is not the program's: warden, interpreter, and forks in between. */
	PROCESSES_OF_OURS = 4,
};

static uid_t host_uid(const struct sandbox *sandbox, unsigned offset)
{
	return sandbox->all->config.uid_base + (uid_t)sandbox->slot * SLOT_UIDS + offset;
}

enum { UID_OF_USER, UID_OF_WARDEN };

/* -- all sandboxes ---------------------------------------------------------- */

int sandboxes_new(const struct sandboxes_config *config, struct sandboxes **ret_sandboxes)
{
	struct sandboxes *all = calloc(1, sizeof *all);

	if (!all)
		return -ENOMEM;
	all->config = *config;
	all->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (all->null < 0) {
		int error = -errno;

		free(all);
		return error;
	}
	*ret_sandboxes = all;
	return 0;
}

void sandboxes_set_nursery(struct sandboxes *sandboxes, struct nursery *nursery)
{
	sandboxes->nursery = nursery;
}

size_t sandboxes_count(const struct sandboxes *sandboxes)
{
	return sandboxes->count;
}

void sandboxes_free(struct sandboxes *sandboxes)
{
	if (!sandboxes)
		return;
	close(sandboxes->null);
	free(sandboxes);
}

/* -- the end ---------------------------------------------------------------- */

static void unlist(struct sandbox *sandbox)
{
	*sandbox->link = sandbox->next;
	if (sandbox->next)
		sandbox->next->link = sandbox->link;
	sandbox->all->count--;
}

static void close_all(struct sandbox *sandbox)
{
	struct loop *loop = sandbox->all->config.loop;

	loop_remove(loop, &sandbox->warden);
	loop_remove(loop, &sandbox->listener);
	owned_close(&sandbox->warden.fd);
	owned_close(&sandbox->listener.fd);
	sandbox_close_stdio(sandbox);
	ringer_forget(&sandbox->interpreter);
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		ringer_forget(&sandbox->checkpoints[i]);
	sandbox->checkpoint_count = 0;
	workspace_close(&sandbox->workspace);
	if (sandbox->mailbox)
		munmap(sandbox->mailbox, MAILBOX_BYTES);
	sandbox->mailbox = NULL;
}

/* All its processes have been reaped; the group may need a moment more. */
static void bury(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);
	struct sandboxes *all = sandbox->all;

	if (sandbox->cgroup && cgroup_destroy(sandbox->cgroup)) {
		if (++sandbox->sweeps == 1000)
			log_error("sandbox %d: its cgroup cannot be removed", sandbox->slot);
		if (loop_set_timer(all->config.loop, timer, loop_now_us() + BURY_MS * 1000, bury))
			log_error("sandbox %d: no memory to remove its cgroup", sandbox->slot);
		return;
	}
	slots_give_back(all->config.slots, sandbox->slot);
	unlist(sandbox);
	free(sandbox);
	all->config.gone(all->config.context);
}

static void begin_burial(struct sandbox *sandbox)
{
	loop_remove(sandbox->all->config.loop, &sandbox->life);
	owned_close(&sandbox->life.fd);
	sandbox->sweeps = 0;
	/* through the loop, so that no caller finds its sandbox freed */
	if (loop_set_timer(sandbox->all->config.loop, &sandbox->timer, loop_now_us(), bury))
		log_error("sandbox %d: no memory to remove it", sandbox->slot);
}

static void on_life(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, life);

	(void)events;
	while (waitpid(sandbox->warden_pid, NULL, 0) < 0 && errno == EINTR)
		;
	sandbox->warden_pid = 0;
	if (sandbox->phase != SANDBOX_DIES) {
		loop_remove(sandbox->all->config.loop, source);
		sandbox_fail(sandbox, "keep its warden alive", -ECHILD);
		return;
	}
	close_all(sandbox);
	begin_burial(sandbox);
}

void sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->phase == SANDBOX_DIES)
		return;

	bool unborn = sandbox->phase == SANDBOX_WAITS_FOR_BIRTH;
	sandbox->phase = SANDBOX_DIES;
	loop_clear_timer(sandbox->all->config.loop, &sandbox->timer);
	if (sandbox->warden_pid) {
		/* pid 1 takes all of its namespace along */
		(void)syscall(SYS_pidfd_send_signal, sandbox->life.fd, SIGKILL, NULL, 0);
		return;
	}
	if (unborn && sandbox->cookie)
		return; /* the zygote's answer will come, and then it is buried */
	close_all(sandbox);
	begin_burial(sandbox);
}

void sandbox_fail(struct sandbox *sandbox, const char *step, int error)
{
	if (sandbox->phase == SANDBOX_DIES)
		return;
	log_error("sandbox %d: cannot %s: %s", sandbox->slot, step, strerror(-error));
	sandbox->owner.failed(sandbox->owner.context, sandbox);
}

/* -- birth ------------------------------------------------------------------ */

static void on_birth_late(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);

	sandbox->cookie = 0; /* an answer that comes yet is nobody's */
	sandbox_fail(sandbox, "be born in time", -ETIMEDOUT);
}

static int make_mailbox(struct sandbox *sandbox, int *ret_fd)
{
	AUTO_FD fd = memfd_create("mailbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, MAILBOX_BYTES))
		return -errno;
	/* shrinking it would make our own reads fatal */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	void *map = mmap(NULL, MAILBOX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	sandbox->mailbox = map;
	*ret_fd = take_fd(&fd);
	return 0;
}

struct cgroup_limits sandbox_group_limits(const struct sandbox *sandbox,
					  const struct limits *limits)
{
	const struct sandboxes_config *config = &sandbox->all->config;

	return (struct cgroup_limits){
		.memory_bytes = limits->memory_bytes,
		.processes = limits->processes + PROCESSES_OF_OURS + config->undo_depth_max,
		.cpu_percent = config->cpu_percent,
	};
}

static int make_parts(struct sandbox *sandbox, int *ret_mailbox)
{
	const struct limits *limits = &sandbox->limits;
	struct cgroup_limits group = sandbox_group_limits(sandbox, limits);
	char name[32];
	int error;

	snprintf(name, sizeof name, "sandbox-%d", sandbox->slot);
	error = cgroup_create(sandbox->all->config.cgroups, name, &group, &sandbox->cgroup);
	if (!error)
		error = workspace_create(limits->workspace_bytes, limits->workspace_inodes,
					 host_uid(sandbox, UID_OF_USER),
					 host_uid(sandbox, UID_OF_USER), &sandbox->workspace);
	if (!error)
		error = make_mailbox(sandbox, ret_mailbox);
	return error;
}

static void on_warden(struct loop_source *source, uint32_t events);

static int ask_for_birth(struct sandbox *sandbox)
{
	AUTO_FD mailbox = -1;
	AUTO_FD theirs = -1;
	int pair[2];
	int error = make_parts(sandbox, &mailbox);

	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	sandbox->warden.fd = pair[0];
	theirs = pair[1];
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	error = nursery_spawn(sandbox->all->nursery, sandbox->cookie, theirs, mailbox);
	if (!error)
		error = loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
				       loop_now_us() + BIRTH_MS * 1000, on_birth_late);
	return error;
}

static struct sandbox *new_sandbox(struct sandboxes *all, const struct sandbox_owner *owner,
				   int slot)
{
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);

	if (!sandbox)
		return NULL;
	sandbox->all = all;
	sandbox->owner = *owner;
	sandbox->slot = slot;
	sandbox->limits = all->config.limits;
	sandbox->cookie = ++all->cookies;
	sandbox->workspace = WORKSPACE_CLOSED;
	sandbox->warden.fd = sandbox->life.fd = sandbox->listener.fd = sandbox->feeder.fd = -1;
	sandbox->interpreter.pidfd = -1;
	for (int i = 0; i < STREAMS; i++)
		sandbox->streams[i].source.fd = -1;
	sandbox->next = all->first;
	sandbox->link = &all->first;
	if (all->first)
		all->first->link = &sandbox->next;
	all->first = sandbox;
	all->count++;
	return sandbox;
}

int sandbox_create(struct sandboxes *sandboxes, const struct sandbox_owner *owner,
		   struct sandbox **ret_sandbox)
{
	if (!sandboxes->nursery || !nursery_warm_count(sandboxes->nursery))
		return -EAGAIN;

	int slot = slots_take(sandboxes->config.slots);
	if (slot < 0)
		return slot;
	struct sandbox *sandbox = new_sandbox(sandboxes, owner, slot);
	if (!sandbox) {
		slots_give_back(sandboxes->config.slots, slot);
		return -ENOMEM;
	}
	int error = ask_for_birth(sandbox);
	if (error) {
		sandbox->cookie = 0; /* no zygote will answer */
		sandbox_kill(sandbox);
		return error;
	}
	*ret_sandbox = sandbox;
	return 0;
}

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Two ids inside, on the sandbox's own uids outside; groups alike. */
static int map_ids(const struct sandbox *sandbox)
{
	char map[96];

	snprintf(map, sizeof map, "%d %u 1\n%d %u 1\n", SANDBOX_WARDEN_UID,
		 host_uid(sandbox, UID_OF_WARDEN), SANDBOX_USER_UID,
		 host_uid(sandbox, UID_OF_USER));
	int error = write_map(sandbox->warden_pid, "setgroups", "deny");
	if (!error)
		error = write_map(sandbox->warden_pid, "uid_map", map);
	return error ? error : write_map(sandbox->warden_pid, "gid_map", map);
}

int sandbox_ask_warden(struct sandbox *sandbox, enum warden_op op, pid_t pid, const int *fds,
		       size_t count)
{
	struct warden_request request = {
		.op = op,
		.pid = pid,
		.limits = { .processes = sandbox_group_limits(sandbox, &sandbox->limits).processes },
	};

	return packet_send(sandbox->warden.fd, &request, sizeof request, fds, count);
}

/* Order: the group before anything is allocated, the ids before the warden
 * takes one. */
static int bring_up(struct sandbox *sandbox, const char **ret_step)
{
	*ret_step = "move it to its cgroup";
	int error = cgroup_attach(sandbox->cgroup, sandbox->warden_pid);

	if (!error) {
		*ret_step = "map its ids";
		error = map_ids(sandbox);
	}
	return error;
}

static void on_procfs(struct sandbox *sandbox, int context)
{
	const int *mounts = sandbox->workspace.mounts;
	AUTO_FD proc = proc_mount(context);
	int error = proc < 0 ? proc : 0;

	if (error) {
		sandbox_fail(sandbox, "mount its procfs", error);
		return;
	}
	const int fds[] = { proc, mounts[0], mounts[1], mounts[2] };
	error = sandbox_ask_warden(sandbox, WARDEN_ENTER, 0, fds, 4);
	workspace_close_mounts(&sandbox->workspace);
	if (error)
		sandbox_fail(sandbox, "send it its mounts", error);
}

static void on_born(struct sandbox *sandbox, pid_t pid, int pidfd, uint64_t generation)
{
	struct loop *loop = sandbox->all->config.loop;
	bool unwanted = sandbox->phase == SANDBOX_DIES;
	int error = pid < 0 ? (int)pid : 0;

	sandbox->cookie = 0;
	sandbox->generation = generation;
	if (!error) {
		sandbox->warden_pid = pid;
		error = loop_add(loop, &sandbox->life, pidfd, EPOLLIN, on_life);
	}
	if (!error && !unwanted)
		error = loop_add(loop, &sandbox->warden, sandbox->warden.fd, EPOLLIN, on_warden);
	if (unwanted) {
		sandbox->phase = error ? SANDBOX_DIES : SANDBOX_SETS_UP;
		if (error) {
			close_all(sandbox);
			begin_burial(sandbox);
		} else {
			sandbox_kill(sandbox);
		}
		return;
	}
	sandbox->phase = SANDBOX_SETS_UP;
	const char *step = "be born";
	if (!error)
		error = bring_up(sandbox, &step);
	if (error)
		sandbox_fail(sandbox, step, error);
}

void sandboxes_born(struct sandboxes *sandboxes, uint64_t cookie, pid_t pid, int pidfd,
		    uint64_t generation)
{
	for (struct sandbox *sandbox = sandboxes->first; sandbox; sandbox = sandbox->next) {
		if (sandbox->cookie == cookie) {
			on_born(sandbox, pid, pidfd, generation);
			return;
		}
	}
	if (pidfd >= 0) { /* nobody waits for it any more */
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		(void)waitpid(pid, NULL, 0);
		close(pidfd);
	}
}

/* -- the warden's events ------------------------------------------------------ */

static void on_listener(struct sandbox *sandbox, pid_t inside, int fd)
{
	struct loop *loop = sandbox->all->config.loop;

	loop_remove(loop, &sandbox->listener);
	owned_close(&sandbox->listener.fd);
	sandbox->interpreter_inside = inside;
	int error = loop_add(loop, &sandbox->listener, fd, EPOLLIN, sandbox_on_ring);
	if (error) {
		close(fd);
		sandbox_fail(sandbox, "listen to its interpreter", error);
	}
}

static void on_interpreter_died(struct sandbox *sandbox, int status)
{
	sandbox->interpreter_inside = 0;
	ringer_forget(&sandbox->interpreter);
	switch (sandbox->phase) {
	case SANDBOX_BUSY:
	case SANDBOX_IDLE:
	case SANDBOX_FREEZES:
		sandbox_drain(sandbox, sandbox->phase == SANDBOX_BUSY);
		if (sandbox->phase != SANDBOX_DIES && sandbox->phase != SANDBOX_SWEEPS)
			sandbox->owner.died(sandbox->owner.context, sandbox, status);
		break;
	case SANDBOX_SETS_UP:
	case SANDBOX_RETURNS:
		sandbox_fail(sandbox, "start its interpreter", -ECHILD);
		break;
	case SANDBOX_SWEEPS: /* as asked */
	case SANDBOX_WAITS_FOR_BIRTH:
	case SANDBOX_DIES:
		break;
	}
}

static void on_event(struct sandbox *sandbox, struct warden_event *event, int *fd)
{
	switch (event->kind) {
	case EVENT_LISTENER:
		if (*fd >= 0)
			on_listener(sandbox, event->pid, take_fd(fd));
		break;
	case EVENT_PROCFS:
		if (*fd >= 0 && sandbox->phase == SANDBOX_SETS_UP)
			on_procfs(sandbox, *fd);
		break;
	case EVENT_DIED:
		if (event->pid == sandbox->interpreter_inside)
			on_interpreter_died(sandbox, event->status);
		break;
	case EVENT_FAILED:
		event->step[sizeof event->step - 1] = '\0';
		sandbox_fail(sandbox, event->step, -event->error);
		break;
	default:
		sandbox_fail(sandbox, "understand its warden", -EPROTO);
		break;
	}
}

static void on_warden(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, warden);
	struct warden_event event;
	int fds[PACKET_FDS_MAX] = { -1, -1, -1, -1 };
	size_t count = 0;
	int got = packet_receive(source->fd, &event, sizeof event, fds, &count);

	(void)events;
	if (got == -EAGAIN)
		return;
	if (got <= 0) { /* its death is told by the pidfd */
		loop_remove(sandbox->all->config.loop, source);
		return;
	}
	if (sandbox->phase != SANDBOX_DIES)
		on_event(sandbox, &event, &fds[0]);
	for (size_t i = 0; i < PACKET_FDS_MAX; i++)
		owned_close(&fds[i]);
}

/* -- what it is --------------------------------------------------------------- */

void sandbox_set_owner(struct sandbox *sandbox, const struct sandbox_owner *owner)
{
	sandbox->owner = *owner;
}

int sandbox_slot(const struct sandbox *sandbox)
{
	return sandbox->slot;
}

uint64_t sandbox_generation(const struct sandbox *sandbox)
{
	return sandbox->generation;
}

bool sandbox_is_idle(const struct sandbox *sandbox)
{
	return sandbox->phase == SANDBOX_IDLE;
}

int sandbox_workspace(const struct sandbox *sandbox)
{
	return sandbox->workspace.folder;
}

int sandbox_workspace_full(const struct sandbox *sandbox)
{
	return workspace_full(&sandbox->workspace);
}

int sandbox_read_usage(const struct sandbox *sandbox, struct cgroup_usage *ret_usage)
{
	return cgroup_read_usage(sandbox->cgroup, ret_usage);
}

/* -- jobs --------------------------------------------------------------------- */

int sandbox_limit(struct sandbox *sandbox, const struct limits *limits)
{
	struct limits *now = &sandbox->limits;
	int error = 0;

	if (now->memory_bytes != limits->memory_bytes || now->processes != limits->processes) {
		struct cgroup_limits group = sandbox_group_limits(sandbox, limits);

		error = cgroup_limit(sandbox->cgroup, &group);
	}
	if (!error && (now->workspace_bytes != limits->workspace_bytes ||
		       now->workspace_inodes != limits->workspace_inodes))
		error = workspace_limit(&sandbox->workspace, limits->workspace_bytes,
					limits->workspace_inodes);
	if (!error)
		*now = *limits;
	return error;
}

static int answer(struct sandbox *sandbox, enum command command)
{
	uint64_t ring = sandbox->interpreter.ring;

	sandbox->interpreter.ring = 0;
	return notify_answer(sandbox->listener.fd, ring, command);
}

int sandbox_start(struct sandbox *sandbox, const struct sandbox_job *job)
{
	struct mailbox *mailbox = sandbox->mailbox;
	int error = 0;

	if (sandbox->phase != SANDBOX_IDLE)
		return -EBUSY;
	if (job->payload_length > MAILBOX_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (!sandbox->stdio_intact)
		error = sandbox_give_stdio(sandbox);
	if (!error)
		error = sandbox_give_stdin(sandbox, job->stdin_bytes, job->stdin_length);
	if (error)
		return error;
	sandbox_drain(sandbox, false);
	if (job->payload_length)
		memcpy((uint8_t *)mailbox + MAILBOX_PAYLOAD_OFFSET, job->payload,
		       job->payload_length);
	mailbox->kind = job->kind;
	mailbox->flags = job->flags;
	mailbox->execution = job->execution;
	mailbox->open_files = job->open_files;
	mailbox->file_bytes = job->file_bytes;
	mailbox->payload_length = (uint32_t)job->payload_length;
	mailbox->report_length = 0;
	mailbox->exit_code = 0;
	sandbox->phase = SANDBOX_BUSY;
	return answer(sandbox, COMMAND_RUN);
}

int sandbox_read_report(struct sandbox *sandbox, uint8_t **ret_report, size_t *ret_length,
			int32_t *ret_exit_code)
{
	/* volatile: read once, what we check is what we use */
	const volatile struct mailbox *mailbox = sandbox->mailbox;
	uint32_t length = mailbox->report_length;
	int32_t exit_code = mailbox->exit_code;

	if (length > MAILBOX_REPORT_MAX)
		length = 0;
	uint8_t *report = malloc(length + 1);
	if (!report)
		return -ENOMEM;
	memcpy(report, (const uint8_t *)sandbox->mailbox + MAILBOX_REPORT_OFFSET, length);
	*ret_report = report;
	*ret_length = length;
	*ret_exit_code = exit_code;
	return 0;
}

int sandbox_signal(struct sandbox *sandbox, int signal)
{
	if (sandbox->interpreter.pidfd < 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, sandbox->interpreter.pidfd, signal, NULL, 0) ? -errno :
											     0;
}

/* -- checkpoints ---------------------------------------------------------------- */

static void drop_oldest(struct sandbox *sandbox)
{
	struct ringer *oldest = &sandbox->checkpoints[0];

	(void)syscall(SYS_pidfd_send_signal, oldest->pidfd, SIGKILL, NULL, 0);
	ringer_forget(oldest);
	memmove(oldest, oldest + 1, --sandbox->checkpoint_count * sizeof *oldest);
}

static void on_freeze_late(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, timer);

	if (!sandbox->awaits_ready) { /* just no copy */
		sandbox->awaits_frozen = false;
		sandbox->phase = SANDBOX_IDLE;
		sandbox->owner.idle(sandbox->owner.context, sandbox);
		return;
	}
	/* as good as dead: the owner goes back to the last checkpoint */
	sandbox->owner.died(sandbox->owner.context, sandbox, SIGKILL);
}

int sandbox_checkpoint(struct sandbox *sandbox, size_t keep)
{
	if (sandbox->phase != SANDBOX_IDLE || !sandbox->interpreter.ring)
		return -EBUSY;
	if (keep > CHECKPOINTS_MAX)
		keep = CHECKPOINTS_MAX;
	while (sandbox->checkpoint_count && sandbox->checkpoint_count >= keep)
		drop_oldest(sandbox);
	sandbox->phase = SANDBOX_FREEZES;
	sandbox->awaits_frozen = sandbox->awaits_ready = true;
	sandbox->checkpointed = false;
	int error = answer(sandbox, COMMAND_CHECKPOINT);
	if (!error)
		error = loop_set_timer(sandbox->all->config.loop, &sandbox->timer,
				       loop_now_us() + FREEZE_MS * 1000, on_freeze_late);
	return error;
}

bool sandbox_checkpointed(const struct sandbox *sandbox)
{
	return sandbox->checkpointed;
}
