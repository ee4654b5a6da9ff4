#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/owned.h"
#include "executor/sandbox/sandbox_parts.h"

/* What the processes of a sandbox say by their notifications. Any of them can send one
 * with any words: who sent it decides which event it is. One that means nothing now is
 * left unanswered, so that whoever sent it waits until it is killed. */

/* A program that sends many, which mean nothing or only show something, is not listened
 * to for a while after so many: its own loss, and little work for us. */
enum { CHATTER_MAX = 256, DEAF_MS = 50 };

/* A readonly and a restricted profile and a fork template make three. */
enum { FILTERS_MAX = 4 };

/* -- targets ---------------------------------------------------------------------- */

void target_forget(struct target *target)
{
	owned_close(&target->pidfd);
	*target = TARGET_NONE;
}

void target_accept(struct target *target, const struct notification *note)
{
	target->waits = note->id;
	target->serial = note->serial;
	target->note = note->note;
	target->order = 0;
}

/* The id is checked after the pidfd is open: then both mean the same process. */
int target_adopt(struct sandbox *sandbox, const struct notification *note, struct target *target)
{
	int pidfd = (int)syscall(SYS_pidfd_open, note->pid, 0);

	if (pidfd < 0)
		return OTHERWISE;
	if (!notify_valid(sandbox->listener.fd, note->id)) {
		close(pidfd);
		return OTHERWISE;
	}
	*target = (struct target){ .pid = note->pid, .pidfd = pidfd };
	target_accept(target, note);
	return 0;
}

/* Has its end begun? A signal that kills it ends its wait as one that stops it does. */
static bool is_dying(const struct target *target)
{
	enum { EXITING = 0x4, SIGNALED = 0x400 }; /* PF_*, for as long as there is procfs */
	char path[32], text[512];
	unsigned flags = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)target->pid);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	text[got > 0 ? got : 0] = '\0';
	/* after the name, which may hold anything: state and six numbers */
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return true;
	return flags & (EXITING | SIGNALED);
}

int target_answer(struct sandbox *sandbox, struct target *target, int64_t order)
{
	uint64_t id = target->waits;

	target->order = order;
	target->waits = 0;
	if (!id)
		return 0;
	int error = notify_answer(sandbox->listener.fd, id, order);
	/* it may be about to wait once more: then it gets its order */
	return error == -ENOENT && !is_dying(target) ? 0 : error;
}

bool target_is_alive(const struct target *target)
{
	struct pollfd death = { .fd = target->pidfd, .events = POLLIN };

	return target->pidfd >= 0 && poll(&death, 1, 0) == 0;
}

/* The file is of the process that it was opened for: if that is alive afterwards, it is
 * this one. */
void target_score(const struct target *target, int oom_score_adj)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)target->pid);
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && target_is_alive(target))
		(void)dprintf(fd, "%d", oom_score_adj);
}

void target_kill(const struct target *target)
{
	if (target->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, target->pidfd, SIGKILL, NULL, 0);
}

/* -- who is it? -------------------------------------------------------------------------- */

static struct target *find(struct sandbox *sandbox, pid_t pid)
{
	if (pid == sandbox->interpreter.pid)
		return &sandbox->interpreter;
	if (pid == sandbox->original.pid)
		return &sandbox->original;
	for (size_t i = 0; i < sandbox->checkpoint_count; i++)
		if (pid == sandbox->checkpoints[i].pid)
			return &sandbox->checkpoints[i];
	return NULL;
}

static enum sandbox_event event_of(const struct sandbox *sandbox, const struct target *target,
				   const struct notification *note)
{
	bool no_copy = note->flags & NOTE_NO_COPY;

	if (!target)
		return note->note == NOTE_READY    ? ON_STRANGER_READY
		       : note->note == NOTE_FROZEN ? ON_STRANGER_FROZEN
						   : SANDBOX_EVENTS;
	if (target == &sandbox->original)
		return note->note != NOTE_READY ? SANDBOX_EVENTS
		       : no_copy                ? ON_ORIGINAL_NO_COPY
						: ON_ORIGINAL_READY;
	if (target != &sandbox->interpreter)
		return SANDBOX_EVENTS;
	switch (note->note) {
	case NOTE_READY:
		return no_copy ? ON_NO_COPY : ON_READY;
	case NOTE_DONE:
		return ON_DONE;
	case NOTE_DISPLAY:
		return ON_DISPLAY;
	case NOTE_INPUT:
		return ON_INPUT;
	default:
		return SANDBOX_EVENTS;
	}
}

static int hear(struct sandbox *sandbox);

static void on_deaf(struct loop_timer *timer)
{
	struct sandbox *sandbox = LOOP_OWNER(timer, struct sandbox, deaf);
	int error = hear(sandbox);

	if (error)
		sandbox_report(sandbox, &(struct happening){ .event = ON_BROKEN,
							     .step = "listen to its program",
							     .error = error });
}

static void count_chatter(struct sandbox *sandbox)
{
	struct loop *loop = sandbox->all->config.loop;

	if (++sandbox->chatter % CHATTER_MAX == 0 &&
	    !loop_set_timer(loop, &sandbox->deaf, loop_now_us() + DEAF_MS * 1000, on_deaf))
		loop_remove(loop, &sandbox->listener);
}

/* The call has begun again: it gets what it was answered, if it was. */
static void go_on_waiting(struct sandbox *sandbox, struct target *target,
			  const struct notification *note)
{
	target->waits = note->id;
	if (target->order)
		(void)target_answer(sandbox, target, target->order);
	count_chatter(sandbox);
}

/* Each filter takes memory of the kernel that nothing counts, in each process that puts
 * it on by itself: only interpreters do, and few. */
static void decide_on_filter(struct sandbox *sandbox, const struct notification *note)
{
	struct target *target = find(sandbox, note->pid);
	bool good = (target == &sandbox->interpreter || target == &sandbox->original) &&
		    target->pid && target->filters < FILTERS_MAX;

	if (good)
		target->filters++;
	(void)(good ? notify_let : notify_refuse)(sandbox->listener.fd, note->id);
	count_chatter(sandbox);
}

static void on_note(struct loop_source *source, uint32_t events)
{
	struct sandbox *sandbox = LOOP_OWNER(source, struct sandbox, listener);
	struct notification note;
	int got = notify_receive(source->fd, &note);

	if (got < 0 || (got == 0 && events & EPOLLHUP)) /* nobody is left to send one */
		loop_remove(sandbox->all->config.loop, source);
	if (got != 1)
		return;
	if (note.adds_filter) {
		decide_on_filter(sandbox, &note);
		return;
	}
	struct target *target = find(sandbox, note.pid);
	if (target && target->serial == note.serial && target->note == note.note) {
		go_on_waiting(sandbox, target, &note);
		return;
	}
	struct happening what = { .event = event_of(sandbox, target, &note), .note = &note };
	uint64_t moves = sandbox->moves;
	if (what.event != SANDBOX_EVENTS)
		sandbox_report(sandbox, &what);
	if (sandbox->moves == moves || what.event == ON_DISPLAY || what.event == ON_INPUT)
		count_chatter(sandbox);
}

static int hear(struct sandbox *sandbox)
{
	loop_clear_timer(sandbox->all->config.loop, &sandbox->deaf);
	return loop_add(sandbox->all->config.loop, &sandbox->listener, sandbox->listener.fd,
			EPOLLIN, on_note);
}

/* -- what the machine has done ------------------------------------------------------------ */

int program_listen(struct sandbox *sandbox, const struct happening *what)
{
	loop_remove(sandbox->all->config.loop, &sandbox->listener);
	owned_close(&sandbox->listener.fd);
	sandbox->interpreter_inside = what->pid;
	sandbox->listener.fd = take_fd(what->fd);
	return hear(sandbox);
}

int program_accept(struct sandbox *sandbox, const struct happening *what)
{
	target_accept(&sandbox->interpreter, what->note);
	return 0;
}

int program_is_idle(struct sandbox *sandbox, const struct happening *what)
{
	struct target *interpreter = &sandbox->interpreter;
	int error = sandbox_make_room(sandbox, 0);

	if (what->note && what->note->pid == interpreter->pid)
		target_accept(interpreter, what->note);
	if (!error && !sandbox->stdio_intact)
		error = sandbox_give_stdio(sandbox);
	if (error != -ENOENT)
		return error;
	/* It was killed, which init tells, or it begins its call again: then that is news. */
	interpreter->note = 0;
	return OTHERWISE;
}

int program_adopt_interpreter(struct sandbox *sandbox, const struct happening *what)
{
	if (sandbox->interpreter.pid) /* a checkpoint that wakes is awaited, nobody else */
		return OTHERWISE;
	int error = target_adopt(sandbox, what->note, &sandbox->interpreter);
	return error ? error : program_is_idle(sandbox, what);
}
